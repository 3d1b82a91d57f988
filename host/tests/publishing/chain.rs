//! Events that lead to further ones: each once, and not without end.

use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_events::Envelope;
use tidemill_host::config::{DeadLetterTarget, PublishTarget};

use super::common::{TestHost, log, wasm};
use super::receiver::Receiver;
use super::{again, attribute, cause, host, host_with, publish_b};

/// Delivers what was published, and what that leads to, until nothing comes any more. Gives all of it, in order.
async fn relay(host: &TestHost, receiver: &Receiver) -> Vec<Envelope> {
    let mut all = Vec::new();
    loop {
        let sent = receiver.take();
        if sent.is_empty() {
            return all;
        }
        for envelope in &sent {
            assert_eq!(host.post(envelope).await.status, StatusCode::NO_CONTENT);
        }
        all.extend(sent);
    }
}

/// How often a handler was done with an event of this id.
fn runs(id: &str) -> usize {
    log::lines(|line| line["event_id"] == id && line["outcome"] == "done" && line["code"] == "done").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_a_chain_is_handled_once() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    let last = json!({ "type": "c", "data": {} });
    let cause = cause(&json!({ "publish": [publish_b(json!({ "publish": [last] }))] }));
    assert_eq!(host.post(&cause).await.status, StatusCode::NO_CONTENT);
    let [b, c] = relay(&host, &receiver).await.try_into().unwrap();
    assert_eq!((attribute(&b, "event-type"), attribute(&b, "tidemill-depth")), ("b", "1"));
    assert_eq!((attribute(&c, "event-type"), attribute(&c, "tidemill-depth")), ("c", "2"));
    assert_eq!(attribute(&b, "tidemill-cause"), attribute(&cause, "event-id"));
    assert_eq!(attribute(&c, "tidemill-cause"), attribute(&b, "event-id"));
    // Whatever comes again leads to nothing more.
    for envelope in [&cause, &b, &c] {
        assert_eq!(host.post(&again(envelope, 2)).await.status, StatusCode::NO_CONTENT);
        assert_eq!(runs(attribute(envelope, "event-id")), 1);
    }
    assert!(receiver.take().is_empty());
}

/// From host to host, without a broker between.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_takes_what_another_publishes() {
    let nowhere = Receiver::start().await;
    let second = host(&nowhere).await;
    let url = format!("http://{}/events", second.address);
    let first =
        host_with(&nowhere, |config| config.publishing.target = PublishTarget::Host(url.parse().unwrap())).await;
    let answer = first.post(&cause(&json!({ "publish": [publish_b(json!({}))] }))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let id = super::printed(&answer)[0].strip_prefix("published ").unwrap().to_owned();
    assert_eq!(runs(&id), 1);
}

fn letters(folder: &tempfile::TempDir) -> Vec<Value> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files.map(|file| serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_calls_itself_ends_among_the_dead_letters() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let target = DeadLetterTarget::Folder(folder.path().to_owned());
    let host = host_with(&receiver, |config| {
        config.dead_letter.target = Some(target);
        config.publishing.max_chain = 4;
    })
    .await;
    assert_eq!(host.post(&cause(&json!({ "end": "again" }))).await.status, StatusCode::NO_CONTENT);
    let all = relay(&host, &receiver).await;
    let depths: Vec<_> = all.iter().map(|envelope| attribute(envelope, "tidemill-depth")).collect();
    assert_eq!(depths, ["1", "2", "3", "4", "5"]);
    assert_eq!(all.iter().map(|envelope| runs(attribute(envelope, "event-id"))).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
    let [letter] = letters(&folder).try_into().unwrap();
    assert_eq!(letter["deadLetter"]["code"], "chain-too-deep");
    assert!(letter["deadLetter"]["reason"].as_str().unwrap().contains("`max-chain` allows 4"), "{letter}");
    let stored = Envelope::decode(letter.to_string().as_bytes()).unwrap();
    assert_eq!(attribute(&stored, "event-id"), attribute(&all[4], "event-id"));
}

/// However its descendants spread, no more come of one event than the operator allows.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_events_come_of_one_and_no_more() {
    const MOST: usize = 20;
    let receiver = Receiver::start().await;
    let host = host_with(&receiver, |config| config.publishing.max_descendants = MOST as u32).await;
    // Each that comes wants three more, four times over: 120 in all.
    let spread = (0..4).fold(json!({}), |data, _| json!({ "publish": [{ "type": "b", "data": data, "times": 3 }] }));
    assert_eq!(host.post(&cause(&spread)).await.status, StatusCode::NO_CONTENT);
    let all = relay(&host, &receiver).await;
    let left = |envelope: &Envelope| attribute(envelope, "tidemill-descendants").parse::<usize>().unwrap();
    assert_eq!(all[..3].iter().map(left).collect::<Vec<_>>(), [5, 5, 5]);
    assert!(all.len() <= MOST && all.len() > MOST / 2, "{}", all.len());
    assert!(all.iter().all(|envelope| left(envelope) < MOST));
    // One event too many is refused, and the handler is told.
    let answer = host.post(&cause(&json!({ "publish": vec![publish_b(json!({})); MOST + 1] }))).await;
    assert!(
        super::printed(&answer).iter().any(|line| line.contains("max-descendants")),
        "{:?}",
        super::printed(&answer)
    );
}

/// No signature covers the depth. What is made of it by who has caught an event harms none that was handled, and keeps
/// none from being handled that is yet to come.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_depth_takes_no_event_away() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    for (depth, code) in [("17", "chain-too-deep"), ("nonsense", "malformed-chain")] {
        let cause = cause(&json!({ "publish": [] }));
        let mut forged = again(&cause, 1);
        forged.message.attributes.insert("tidemill-depth".into(), depth.into());
        let refused = host.post(&forged).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, code));
        assert_eq!(host.post(&cause).await.headers["tidemill-code"], "done");
        assert_eq!(host.post(&forged).await.headers["tidemill-code"], "duplicate");
    }
}

/// A host without a way out refuses chains all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_chain_hangs_on_no_handler_that_publishes() {
    let manifest = "events = [\"script\"]\n";
    let host = TestHost::start_with(&[("empty", manifest, &wasm(tidemill_test_artifacts::EMPTY))], |config| {
        config.publishing.max_chain = 0;
    })
    .await;
    for (event_type, depth, status) in [
        ("script", "0", StatusCode::NO_CONTENT),
        ("script", "1", StatusCode::UNPROCESSABLE_ENTITY),
        ("user.vanished", "1", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let mut envelope = super::common::signed(event_type, b"{}");
        envelope.message.attributes.insert("tidemill-depth".into(), depth.into());
        assert_eq!(host.post(&envelope).await.status, status, "{event_type} {depth}");
    }
}

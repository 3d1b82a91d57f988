//! A canary gets its share of the events; what it fails at goes to the stable artifact; and one that does worse than it may
//! is dropped by every host.

use hyper::StatusCode;
use serde_json::json;
use tidemill_host::artifact::Artifact;
use tidemill_host::store::Action;
use tidemill_test_artifacts::{EMPTY, SCRIPTED};

use crate::common::{SCRIPT, TestHost, event, wasm};
use crate::stand::{Stand, numbered, served_by};

const ONE: &str = "events = [\"one\"]\n";

fn one(number: usize) -> Artifact {
    numbered(ONE, &wasm(EMPTY), number)
}

/// Which artifacts the host answers by, for so many events of ids of their own.
async fn answered(host: &TestHost, ids: std::ops::Range<usize>) -> Vec<Artifact> {
    let (stable, canary) = (one(1), one(2));
    let mut answered = Vec::new();
    for id in ids {
        let answer = host.post(&named(&format!("event-{id}"), "one", b"{}", None)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let digest = served_by(&answer);
        answered.push(if digest == canary.digest() { canary.clone() } else { stable.clone() });
        assert!([stable.digest(), canary.digest()].contains(&digest));
    }
    answered
}

/// A delivery of the event of this id, in this attempt.
fn named(id: &str, event_type: &str, data: &[u8], attempt: Option<u32>) -> tidemill_events::Envelope {
    let mut event = event(event_type, data);
    event.id = id.to_owned();
    let message = tidemill_events::Signer::new(crate::common::KEY.parse().unwrap()).sign(&event).into_message();
    tidemill_events::Envelope { message, delivery: tidemill_events::Delivery { attempt, ..crate::common::delivery() } }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_gives_the_canary_the_same_events_and_no_more_than_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let number = stand.deploy_with(&[("one", &one(1))], &[("one", &one(2), 2_000)]).await;
    let hosts = [stand.host().await, stand.host().await];
    stand.until_served(2, number).await;
    let first = answered(&hosts[0], 0..300).await;
    assert_eq!(first, answered(&hosts[1], 0..300).await);
    let share = first.iter().filter(|artifact| **artifact == one(2)).count();
    // A fifth of 300, give or take four standard deviations. The ids are always the same, and so is the count.
    assert!((32..=88).contains(&share), "{share}");
}

/// The canary of this test fails whatever it gets: its manifest asks for the same events, its component wants a script.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_costs_no_event_and_is_dropped_everywhere_with_the_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let scripted = wasm(SCRIPTED);
    let (stable, canary) = (
        Artifact { manifest: format!("{SCRIPT}[config]\nbroken = \"no\"\n").into(), wasm: scripted.clone() },
        Artifact { manifest: format!("{SCRIPT}[limits]\nhost-calls = 1\n").into(), wasm: scripted },
    );
    let number = stand.deploy_with(&[("script", &stable)], &[("script", &canary, 5_000)]).await;
    let hosts = [stand.host().await, stand.host().await];
    stand.until_served(2, number).await;

    let script = json!([{ "stdout": "x" }, { "stdout": "y" }, { "config": "broken" }]).to_string();
    let (mut failed, mut retried) = (0, 0);
    for id in 0..60 {
        // The first host alone has traffic: the second has to learn of it from the store.
        let id = format!("event-{id}");
        let answer = hosts[0].post(&named(&id, "script", script.as_bytes(), Some(1))).await;
        if answer.status != StatusCode::NO_CONTENT {
            failed += 1;
            assert_eq!(served_by(&answer), canary.digest());
            let again = hosts[0].post(&named(&id, "script", script.as_bytes(), Some(2))).await;
            assert_eq!((again.status, served_by(&again)), (StatusCode::NO_CONTENT, stable.digest()));
            retried += 1;
        }
    }
    // Ten show it, and no event after them goes there.
    assert_eq!((failed, retried), (10, 10));
    let dropped = stand.until("a release without the canary", |reports| {
        reports.iter().filter(|report| report.release > Some(number)).count() == 2
    });
    dropped.await;
    let live = stand.store.release(stand.live().await.unwrap().release).await.unwrap();
    assert_eq!(live.action, Action::DropCanary { handler: "script".into() });
    assert!(live.why.contains("10 of 10 (100.0%) failed") || live.why.contains("10 of 10 (100.0%)"), "{}", live.why);
    assert!(live.by.starts_with("the host "), "{}", live.by);
    assert_eq!(live.handlers["script"].canary, None);
    for host in &hosts {
        for id in 100..130 {
            let answer = host.post(&named(&format!("event-{id}"), "script", script.as_bytes(), Some(1))).await;
            assert_eq!((answer.status, served_by(&answer)), (StatusCode::NO_CONTENT, stable.digest()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_does_well_stays() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let number = stand.deploy_with(&[("one", &one(1))], &[("one", &one(2), 5_000)]).await;
    let host = stand.host().await;
    stand.until_served(1, number).await;
    let answers = answered(&host, 0..200).await;
    assert!(answers[150..].contains(&one(2)));
    assert_eq!(stand.live().await.unwrap().release, number);
}

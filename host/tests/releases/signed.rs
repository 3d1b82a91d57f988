//! What runs where a key is trusted: what it has signed, as the handler that it was signed for, and nothing else.

use std::fs;

use tidemill_host::artifact::Artifact;
use tidemill_host::config::Config;
use tidemill_host::registry::install;
use tidemill_host::trust::{Envelope, SecretKey, Statement, Trust, TrustedKey};
use tidemill_test_artifacts::EMPTY;

use crate::common::{TestHost, wasm};
use crate::stand::{Stand, numbered, served_by};

const ONE: &str = "events = [\"one\"]\n";

pub(crate) fn key() -> SecretKey {
    SecretKey::generate().unwrap().0
}

/// Has a host trust this key.
pub(crate) fn trusting(key: &SecretKey) -> impl Fn(&mut Config) {
    let trusted = TrustedKey { name: "release".into(), key: key.public() };
    move |config| config.trust = Trust::new(vec![trusted.clone()], true)
}

fn one(number: usize) -> Artifact {
    numbered(ONE, &wasm(EMPTY), number)
}

async fn sign(stand: &Stand, handler: &str, artifact: &Artifact, key: &SecretKey) {
    let envelope = Envelope::sign(&Statement::of(handler, artifact), key).unwrap();
    stand.store.put_artifact(artifact).await.unwrap();
    stand.store.put_signature(artifact.digest(), &envelope).await.unwrap();
}

async fn until(host: &TestHost, artifact: &Artifact) {
    let digest = artifact.digest();
    host.until("the signed artifact", |registry| registry.route("one").is_some_and(|one| one.digest == digest)).await;
}

async fn serves(host: &TestHost, artifact: &Artifact) {
    assert_eq!(served_by(&host.deliver("one", "{}").await), artifact.digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_trusted_key_has_signed_for_this_handler_waits_until_one_has() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let (trusted, stranger) = (key(), key());
    sign(&stand, "one", &one(1), &trusted).await;
    let first = stand.deploy(&[("one", &one(1))]).await;
    let host = stand.host_with(trusting(&trusted)).await;
    stand.until_served(1, first).await;

    let second = stand.deploy(&[("one", &one(2))]).await;
    let lags = async |says: &str| {
        let says_so = |problem: &Option<String>| problem.as_ref().is_some_and(|problem| problem.contains(says));
        stand.until(says, |reports| reports.iter().any(|report| says_so(&report.problem))).await;
        serves(&host, &one(1)).await;
    };
    lags("it isn't signed").await;
    sign(&stand, "one", &one(2), &stranger).await;
    lags(&format!("they are of {} for \"one\"", stranger.public().id())).await;
    sign(&stand, "other", &one(2), &trusted).await;
    lags("for \"other\"").await;
    // What can't be read as a signature is passed over.
    let beside = folder.path().join("artifacts").join(one(2).digest().hex()).join("signatures");
    fs::write(beside.join("junk.json"), "junk").unwrap();
    sign(&stand, "one", &one(2), &trusted).await;
    stand.until_served(1, second).await;
    serves(&host, &one(2)).await;
}

/// A signature is of an artifact's bytes: changed bytes are none of it, and neither is another's signature.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_carries_over_to_no_other_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let trusted = key();
    for number in [1, 2] {
        sign(&stand, "one", &one(number), &trusted).await;
    }
    let first = stand.deploy(&[("one", &one(1))]).await;
    let host = stand.host_with(trusting(&trusted)).await;
    stand.until_served(1, first).await;

    // The bytes of one that isn't signed under the digest of one that is.
    let place = |artifact: &Artifact| folder.path().join("artifacts").join(artifact.digest().hex());
    fs::write(place(&one(2)).join("handler.toml"), one(3).manifest).unwrap();
    stand.deploy(&[("one", &one(1))]).await;
    let live = stand.live().await.unwrap().release;
    let mut handlers = stand.store.release(live).await.unwrap().handlers;
    handlers.get_mut("one").unwrap().artifact = one(2).digest();
    stand.make_live(handlers).await;
    let spoilt = |problem: &Option<String>| problem.as_ref().is_some_and(|it| it.contains("not what belongs there"));
    stand.until("the bytes", |reports| reports.iter().any(|report| spoilt(&report.problem))).await;
    serves(&host, &one(1)).await;

    // A signature that is moved beside them is still another artifact's.
    stand.store.put_artifact(&one(4)).await.unwrap();
    let moved = place(&one(4)).join("signatures");
    fs::create_dir(&moved).unwrap();
    for entry in fs::read_dir(place(&one(1)).join("signatures")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), moved.join(entry.file_name())).unwrap();
    }
    stand.deploy(&[("one", &one(4))]).await;
    let untrusted = |problem: &Option<String>| problem.as_ref().is_some_and(|it| it.contains("none of its signatures"));
    stand.until("moved", |reports| reports.iter().any(|report| untrusted(&report.problem))).await;
    serves(&host, &one(1)).await;
}

/// The cache of the live release is a folder like any other: what lies there is judged as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_a_start_without_the_store_is_judged_again() {
    let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let trusted = key();
    sign(&stand, "one", &one(1), &trusted).await;
    let first = stand.deploy(&[("one", &one(1))]).await;
    let cached = stand.cached(kept.path().to_owned());
    let host = cached.host_with(trusting(&trusted)).await;
    stand.until_served(1, first).await;
    drop(host);
    let again = TestHost::start_with(&[], |config| {
        // A store that is away, with the cache that was filled.
        let away = Stand::at("s3://away", away()).cached(kept.path().to_owned());
        config.handlers = away.source();
        trusting(&trusted)(config);
    })
    .await;
    serves(&again, &one(1)).await;
    let other = TestHost::start_with(&[], |config| {
        config.handlers = Stand::at("s3://away", away()).cached(kept.path().to_owned()).source();
        trusting(&key())(config);
    })
    .await;
    assert_eq!(other.deliver("one", "{}").await.code(), "unknown-event-type");
}

/// How nothing is reached.
fn away() -> Vec<(String, String)> {
    let variables = [
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A folder of handlers is held to the same, by a file `handler.sig` beside each.
#[tokio::test(flavor = "multi_thread")]
async fn a_folders_handlers_are_served_once_they_are_signed() {
    let trusted = key();
    let host = TestHost::start_with(&[("one", ONE, &wasm(EMPTY))], trusting(&trusted)).await;
    assert_eq!(host.deliver("one", "{}").await.code(), "unknown-event-type");
    let artifact = Artifact { manifest: ONE.into(), wasm: wasm(EMPTY) };
    let signature = host.handlers.path().join("one/handler.sig");
    // Who trusts nobody asks for nobody's word.
    let open = TestHost::start_with(&[("one", ONE, &wasm(EMPTY))], |_| {}).await;
    fs::write(open.handlers.path().join("one/handler.sig"), "no signature").unwrap();
    open.install("two", "events = [\"two\"]\n", &wasm(EMPTY));
    fs::write(open.handlers.path().join("two/handler.sig"), "no signature").unwrap();
    open.until("it serves", |registry| registry.route("two").is_some()).await;
    fs::write(&signature, "no signature").unwrap();
    let envelope = Envelope::sign(&Statement::of("one", &artifact), &trusted).unwrap();
    fs::write(&signature, envelope.write().unwrap()).unwrap();
    until(&host, &artifact).await;
    // Another version is none that was signed.
    let next = one(2);
    install(host.handlers.path(), "one", &next).unwrap();
    fs::write(&signature, envelope.write().unwrap()).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    serves(&host, &artifact).await;
    let envelope = Envelope::sign(&Statement::of("one", &next), &trusted).unwrap();
    fs::write(&signature, envelope.write().unwrap()).unwrap();
    until(&host, &next).await;
}

//! Code that was compiled ahead of time, or at the start before: it is loaded where it is vouched for and fits, and in every
//! other case the component is compiled, and serves.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidemill_host::artifact::Artifact;
use tidemill_host::config::{Grants, HandlerValues, Quota, Terms};
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::registry::Loader;
use tidemill_host::runtime::{Runtime, RuntimeConfig, RuntimeError};
use tidemill_host::trust::{EngineId, Envelope, SecretKey, Statement, Trust};
use tidemill_test_artifacts::EMPTY;

use crate::common::{TestHost, wasm};
use crate::signed::{key, trusting};
use crate::stand::{Stand, numbered, served_by};

pub(crate) const ONE: &str = "events = [\"one\"]\n";

/// What an engine makes of an artifact, sized otherwise than the hosts'.
fn compiled(artifact: &Artifact) -> (EngineId, Vec<u8>) {
    compiled_by(loader(), artifact)
}

pub(crate) fn compiled_by(loader: Loader, artifact: &Artifact) -> (EngineId, Vec<u8>) {
    let Loader { runtime, terms, .. } = loader;
    let handler = tokio::task::block_in_place(|| artifact.load(&runtime, "one", &terms)).unwrap();
    (runtime.id().clone(), handler.component.native_code().unwrap())
}

/// What makes handlers, outside of a host.
pub(crate) fn loader() -> Loader {
    loader_with(Runtime::new)
}

pub(crate) fn loader_with(engine: impl Fn(&RuntimeConfig) -> Result<Runtime, RuntimeError>) -> Loader {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = engine(&RuntimeConfig { max_instances: 1, max_memory: 16 << 20, outgoing }).unwrap();
    let quota = Quota { deadline: Duration::from_secs(10), memory: 16 << 20 };
    let terms = Terms { values: HandlerValues::default(), quota, grants: Grants::all() };
    Loader { runtime, terms, trust: Trust::default(), code_cache: None }
}

pub(crate) struct Shelf {
    pub(crate) folder: tempfile::TempDir,
    stand: Stand,
    artifact: Artifact,
    pub(crate) key: SecretKey,
}

impl Shelf {
    /// A release whose artifact is signed together with this code.
    pub(crate) async fn with(engine: &EngineId, code: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
        let (artifact, key) = (numbered(ONE, &wasm(EMPTY), 1), key());
        stand.deploy(&[("one", &artifact)]).await;
        let statement = Statement::of("one", &artifact).with_code(engine.clone(), code);
        stand.store.put_code(artifact.digest(), engine, code.to_vec()).await.unwrap();
        stand.store.put_signature(artifact.digest(), &Envelope::sign(&statement, &key).unwrap()).await.unwrap();
        Self { folder, stand, artifact, key }
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("artifacts").join(self.artifact.digest().hex()).join(name)
    }

    /// Whether a host that starts now serves it.
    pub(crate) async fn is_served(&self) -> bool {
        let host = self.stand.host_with(trusting(&self.key)).await;
        let answer = host.deliver("one", "{}").await;
        let served = answer.status.is_success();
        assert!(!served || served_by(&answer) == self.artifact.digest());
        served
    }
}

/// The component isn't there, so it can't have been compiled.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_signed_and_fits_is_all_that_a_host_needs() {
    let (engine, code) = compiled(&numbered(ONE, &wasm(EMPTY), 1));
    let shelf = Shelf::with(&engine, &code).await;
    fs::remove_file(shelf.file("handler.wasm")).unwrap();
    assert!(shelf.is_served().await);
    // Its manifest is part of what was signed.
    fs::write(shelf.file("handler.toml"), "events = [\"one\", \"two\"]\n").unwrap();
    assert!(!shelf.is_served().await);
}

/// Each of these serves, by compiling; and doesn't where the component isn't there: the code was not taken.
#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_not_signed_or_does_not_fit_is_never_loaded() {
    let (engine, code) = compiled(&numbered(ONE, &wasm(EMPTY), 1));
    let other: EngineId = "other-0123456789abcdef".parse().unwrap();
    let path = format!("code/{engine}.cwasm");
    let mut flipped = code.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, signed_engine, signed_code, there) in [
        ("another engine's", &other, &code, Some(&code)),
        ("a flipped bit", &engine, &code, Some(&flipped)),
        ("cut short", &engine, &code, Some(&code[..code.len() / 2].to_vec())),
        ("not there", &engine, &code, None),
        ("signed, and no code", &engine, &b"\x7fELF".to_vec(), Some(&b"\x7fELF".to_vec())),
        ("signed, and nothing", &engine, &vec![], Some(&vec![])),
    ] {
        let shelf = Shelf::with(signed_engine, signed_code).await;
        match there {
            Some(bytes) => fs::write(shelf.file(&path), bytes).unwrap(),
            None => fs::remove_file(shelf.file(&path)).unwrap(),
        }
        assert!(shelf.is_served().await, "{what}: not compiled");
        fs::remove_file(shelf.file("handler.wasm")).unwrap();
        assert!(!shelf.is_served().await, "{what}: loaded");
    }
}

/// Where no key is trusted nobody's code is, whoever has signed it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_trusted_key_no_code_is_loaded() {
    let (engine, code) = compiled(&numbered(ONE, &wasm(EMPTY), 1));
    let shelf = Shelf::with(&engine, &code).await;
    fs::remove_file(shelf.file("handler.wasm")).unwrap();
    let host = shelf.stand.host().await;
    assert_eq!(host.deliver("one", "{}").await.code(), "unknown-event-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compiled_is_kept_for_the_next_start() {
    let cache = tempfile::tempdir().unwrap();
    let start = async || {
        TestHost::start_with(&[("one", ONE, &wasm(EMPTY))], |config| {
            config.code_cache = Some(cache.path().to_owned());
        })
        .await
    };
    let kept = || {
        let files = cache.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect::<Vec<_>>()
    };
    assert!(start().await.deliver("one", "{}").await.status.is_success());
    let [file] = kept().try_into().unwrap();
    // Who takes it says so by its time.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::open(&file).unwrap().set_modified(long_ago).unwrap();
    assert!(start().await.deliver("one", "{}").await.status.is_success());
    assert_ne!(fs::metadata(&file).unwrap().modified().unwrap(), long_ago, "it was not taken");
    // What was changed is not taken, and is made anew.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(start().await.deliver("one", "{}").await.status.is_success());
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

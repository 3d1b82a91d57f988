//! A store in a folder, and handlers to deploy to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tidemill_host::artifact::Digest;
use tidemill_host::store::{Live, Look, Release, ReleaseNumber, Store, StoreError};
use tidemill_test_artifacts as artifacts;

use crate::tidemill::{place, stderr, stdout, tidemill};

pub(super) struct Shop {
    folder: TempDir,
    pub(super) store: Store,
    executor: tokio::runtime::Runtime,
}

/// The JSON that a command printed.
pub(super) fn shown(output: &Output) -> Value {
    serde_json::from_str(stdout(output)).unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)))
}

impl Shop {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_folder(&folder.path().join("store")).unwrap();
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, store, executor }
    }

    fn store_path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// A path beside the store.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The folder of all handlers that were placed.
    pub(super) fn handlers(&self) -> String {
        self.folder.path().join("handlers").display().to_string()
    }

    /// Puts a handler there, and gives its folder.
    pub(super) fn place(&self, name: &str, manifest: &str, wasm: &str) -> String {
        let handlers = self.folder.path().join("handlers");
        place(&handlers, name, manifest, wasm);
        handlers.join(name).display().to_string()
    }

    /// The same, of a handler that does nothing: each version has a digest of its own.
    pub(super) fn handler(&self, name: &str, event_type: &str, version: u32) -> String {
        self.place(name, &Self::manifest(name, event_type, version), artifacts::EMPTY)
    }

    pub(super) fn manifest(name: &str, event_type: &str, version: u32) -> String {
        format!("name = {name:?}\nevents = [{event_type:?}]\n# version {version}\n")
    }

    /// A command on this store.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tidemill();
        command.args(arguments).arg("--store").arg(self.store_path());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command printed as JSON, which ended well.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        shown(&output)
    }

    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.executor.block_on(future)
    }

    pub(super) fn look(&self) -> Live {
        match self.wait(self.store.look(None)).unwrap() {
            Look::Live(live) => live,
            other => panic!("nothing is live: {other:?}"),
        }
    }

    pub(super) fn live(&self) -> Release {
        self.release(self.look().release.0)
    }

    pub(super) fn release(&self, number: u64) -> Release {
        self.wait(self.store.release(ReleaseNumber(number))).unwrap()
    }

    /// What is live and all that it goes back to.
    pub(super) fn chain(&self) -> BTreeSet<ReleaseNumber> {
        let mut chain = BTreeSet::new();
        let mut next = Some(self.look().release);
        while let Some(number) = next {
            chain.insert(number);
            next = self.release(number.0).previous;
        }
        chain
    }

    /// A release of somebody who took the store for empty, which is written and never live.
    pub(super) fn overtaken(&self, by: &str) {
        let release = Release { by: by.to_owned(), ..self.live() };
        let lost = self.wait(self.store.make_live(None, release)).unwrap_err();
        assert!(matches!(lost, StoreError::Overtaken { .. }), "{lost}");
    }

    /// Changes an artifact behind the store's back.
    pub(super) fn spoil(&self, artifact: Digest) {
        let path = self.store_path().join("artifacts").join(artifact.hex()).join("handler.wasm");
        fs::write(path, "something else").unwrap();
    }

    /// Leaves half of a release.
    pub(super) fn cut_short(&self, number: u64) {
        let file = self.store_path().join(format!("releases/{number:010}.json"));
        let text = fs::read(&file).unwrap();
        fs::write(file, &text[..text.len() / 2]).unwrap();
    }

    /// Has a host's report be of long ago.
    pub(super) fn forget(&self, host: &str) {
        let report = fs::File::open(self.store_path().join("hosts").join(format!("{host}.json"))).unwrap();
        report.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    }

    /// The files of the store and their bytes.
    pub(super) fn files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        fn collect(folder: &Path, into: &mut BTreeSet<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                match entry.unwrap().path() {
                    path if path.is_dir() => collect(&path, into),
                    path => _ = into.insert((path.clone(), fs::read(path).unwrap())),
                }
            }
        }
        let mut files = BTreeSet::new();
        collect(&self.store_path(), &mut files);
        files
    }
}

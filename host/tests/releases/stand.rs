//! Hosts that follow one store, and who changes it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tidemill_host::artifact::{Artifact, Digest};
use tidemill_host::config::{Config, HandlerSource, StoreConfig, StoreVariables};
use tidemill_host::store::{Action, Canary, Live, Look, Release, ReleaseNumber, Report, Served, Store};

use crate::common::TestHost;

/// How often hosts look, here: often.
const POLL: Duration = Duration::from_millis(50);

/// A store, and how a host reaches it.
#[derive(Clone)]
pub(crate) struct Stand {
    pub(crate) store: Store,
    config: StoreConfig,
}

impl Stand {
    pub(crate) fn at(url: &str, variables: Vec<(String, String)>) -> Self {
        let url = url.parse().unwrap();
        let store = Store::open(&url, &variables).unwrap();
        Self { store, config: StoreConfig { url, variables: StoreVariables(variables), poll: POLL, cache: None } }
    }

    /// The same, for hosts that keep the live release in this folder.
    pub(crate) fn cached(&self, folder: PathBuf) -> Self {
        let config = StoreConfig { cache: Some(folder), ..self.config.clone() };
        Self { store: self.store.clone(), config }
    }

    /// How a host follows it.
    pub(crate) fn source(&self) -> HandlerSource {
        HandlerSource::Store(self.config.clone())
    }

    pub(crate) async fn host(&self) -> TestHost {
        self.host_with(|_| {}).await
    }

    pub(crate) async fn host_with(&self, change: impl FnOnce(&mut Config)) -> TestHost {
        let source = self.source();
        TestHost::start_with(&[], |config| {
            config.handlers = source;
            change(config);
        })
        .await
    }

    pub(crate) async fn live(&self) -> Option<Live> {
        match self.store.look(None).await.unwrap() {
            Look::Live(live) => Some(live),
            Look::Empty | Look::Same => None,
        }
    }

    /// Makes a release live in which exactly these serve.
    pub(crate) async fn deploy(&self, handlers: &[(&str, &Artifact)]) -> ReleaseNumber {
        self.deploy_with(handlers, &[]).await
    }

    /// The same with canaries, each at so many of 10,000 events.
    pub(crate) async fn deploy_with(
        &self,
        handlers: &[(&str, &Artifact)],
        canaries: &[(&str, &Artifact, u16)],
    ) -> ReleaseNumber {
        let mut served = BTreeMap::new();
        for (name, artifact) in handlers {
            self.store.put_artifact(artifact).await.unwrap();
            served.insert((*name).to_owned(), Served { artifact: artifact.digest(), canary: None });
        }
        for (name, artifact, per_ten_thousand) in canaries {
            self.store.put_artifact(artifact).await.unwrap();
            let canary = Canary { artifact: artifact.digest(), per_ten_thousand: *per_ten_thousand };
            served.get_mut(*name).unwrap().canary = Some(canary);
        }
        self.make_live(served).await
    }

    pub(crate) async fn make_live(&self, handlers: BTreeMap<String, Served>) -> ReleaseNumber {
        let release = Release {
            number: ReleaseNumber(0),
            previous: None,
            action: Action::Deploy,
            at: "2026-01-01T00:00:00Z".into(),
            by: "test".into(),
            why: String::new(),
            handlers,
        };
        self.store.make_live(self.live().await.as_ref(), release).await.unwrap().number
    }

    /// Waits until the hosts' reports are as asked for.
    pub(crate) async fn until(&self, what: &str, met: impl Fn(&[Report]) -> bool) -> Vec<Report> {
        for _ in 0..1500 {
            let reports = self.store.reports().await.unwrap();
            if met(&reports) {
                return reports;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not reported within 30 s: {what}; {:#?}", self.store.reports().await);
    }

    /// Waits until so many hosts serve this release.
    pub(crate) async fn until_served(&self, hosts: usize, number: ReleaseNumber) {
        let served = |reports: &[Report]| reports.iter().filter(|report| report.release == Some(number)).count();
        self.until(&format!("release {number} at {hosts} hosts"), |reports| served(reports) == hosts).await;
    }
}

/// An artifact that differs from others in a comment.
pub(crate) fn numbered(manifest: &str, wasm: &[u8], number: usize) -> Artifact {
    Artifact { manifest: format!("{manifest}# {number}\n").into_bytes(), wasm: wasm.to_vec() }
}

/// Which artifact an answer says it is of.
pub(crate) fn served_by(answer: &crate::common::Answer) -> Digest {
    let handler = answer.headers["tidemill-handler"].to_str().unwrap();
    handler.split_once('@').unwrap().1.parse().unwrap()
}

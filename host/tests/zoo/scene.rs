//! The host that the zoo is on, the servers that some of its animals talk to, and who else is there.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;
use tidemill_host::config::{Config, InFlight};
use tidemill_test_artifacts::{KEY_VALUE, SCRIPTED, USER_NAME_CHANGED};
use tokio::task::JoinSet;

use crate::animals::{self, Animal};
use crate::common::{SCRIPT, TestHost, log, wasm};
use crate::component;
use crate::support::{Names, Reply, Server};

/// Events at once, and so slots.
pub(crate) const SLOTS: usize = 16;
/// What the handler `keeper` keeps, for nobody else.
pub(crate) const SECRET: &str = "for-keeper-alone";
/// Resolves to the address of a metadata server.
pub(crate) const METADATA_NAME: &str = "inside.example";

/// Where the animals' own servers are.
#[derive(Default)]
pub(crate) struct Urls {
    pub(crate) redirect: String,
    pub(crate) drip: String,
    pub(crate) bomb: String,
}

impl Urls {
    async fn serve() -> Self {
        let location = format!("location: http://{METADATA_NAME}/computeMetadata/v1/\r\n");
        let redirect = Server::start(move |_| Reply::Status(302, location.clone(), String::new())).await;
        let (drip, bomb) = (Server::start(|_| Reply::Drip).await, Server::start(|_| Reply::Bomb).await);
        Self { redirect: redirect.url(), drip: drip.url(), bomb: bomb.url() }
    }
}

/// A host with all animals, a neighbour, and what looks for their traces.
pub(crate) struct Scene {
    pub(crate) host: Arc<TestHost>,
    pub(crate) animals: Arc<Vec<Animal>>,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let animals = animals::all(&Urls::serve().await);
        let manifests: Vec<_> = animals.iter().map(Animal::manifest).collect();
        let [scripted, keeper, neighbour] = [SCRIPTED, KEY_VALUE, USER_NAME_CHANGED].map(wasm);
        let witness = component::witness();
        let keeps = "events = [\"keeper\"]\n[permissions]\nkey-value = [\"default\"]";
        let mut handlers: Vec<(&str, &str, &[u8])> = vec![
            ("scripted", SCRIPT, &scripted),
            ("witness", "events = [\"witness\"]", &witness),
            ("keeper", keeps, &keeper),
            ("neighbour", "events = [\"user.name.changed\"]", &neighbour),
        ];
        for (animal, manifest) in animals.iter().zip(&manifests) {
            handlers.push((animal.name, manifest.as_str(), animal.wasm.as_slice()));
        }
        let change = |config: &mut Config| {
            config.in_flight = InFlight { events: SLOTS, per_handler: SLOTS, body_bytes: 64 << 20 };
            // Below what the guest itself would read.
            config.outgoing.max_body = 256 << 10;
        };
        let names = Names::new(&[(METADATA_NAME, &[&["169.254.169.254"]])]);
        let host = TestHost::start_resolving(&handlers, change, names).await;
        for animal in &animals {
            assert!(
                host.live(animal.name).is_some(),
                "{} is not loaded: {:?}",
                animal.name,
                log::lines(|line| line["severity"] != "INFO")
            );
        }
        let answer = host.deliver("keeper", json!([{ "set": ["secret", SECRET] }]).to_string()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        Self { host: Arc::new(host), animals: Arc::new(animals) }
    }

    /// A good event in every slot at once, and then what looks for leftovers.
    pub(crate) async fn assert_clean(&self) {
        let mut all = JoinSet::new();
        for _ in 0..SLOTS {
            let host = Arc::clone(&self.host);
            all.spawn(async move { host.script(json!([{ "sleep_ms": 200 }])).await });
        }
        for answer in all.join_all().await {
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        }
        for _ in 0..SLOTS {
            let answer = self.host.deliver("witness", "{}").await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        }
        let answer = self.host.deliver("keeper", json!([{ "get": "secret" }]).to_string()).await;
        let lines = log::of_message(&answer.message_id);
        assert!(lines.iter().any(|line| line["message"] == SECRET), "{lines:?}");
    }
}

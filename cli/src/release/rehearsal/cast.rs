use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use anyhow::{Context, bail};
use tidemill_events::Received;
use tidemill_host::artifact::{Artifact, Digest};
use tidemill_host::config::HandlerValues;
use tidemill_host::key_value::MemoryStore;
use tidemill_host::outgoing::OutgoingConfig;
use tidemill_host::publishing::Cause;
use tidemill_host::registry::{ArtifactError, Handler, ManifestError};
use tidemill_host::runtime::{Captured, OutputSink, Runtime, StandIn, Surroundings};
use tidemill_host::store::Store;

use super::answers::Answers;
use super::machine::Replayed;
use super::prompter::Prompter;
use super::seen::{self, Seen};
use crate::build::{KEPT, PLACEHOLDER, runtime, terms};
use crate::invoke::MOST;
use crate::release::Current;
use crate::release::artifacts::Candidate;
use crate::release::change::short;
use crate::release::routes::Routes;

/// Who handles the events of a rehearsal: the candidates that are not what serves already, and beside each what serves its
/// event types now.
pub(super) struct Cast {
    runtime: Runtime,
    answers: Arc<Answers>,
    /// By event type.
    roles: BTreeMap<String, Role>,
}

/// Who handles the events of one type.
pub(super) struct Role {
    /// The name of the handler that is deployed.
    pub(super) handler: String,
    /// What serves them now. `None`: nothing does.
    present: Option<Arc<Handler>>,
    /// What shall. `None`: nothing would.
    candidate: Option<Arc<Handler>>,
}

/// Which artifacts are to be loaded, by event type.
struct Bill<'a> {
    handler: String,
    present: Option<(String, Digest)>,
    candidate: Option<&'a Candidate>,
}

impl Cast {
    /// Loads them all. Where the operator's values are not known here, a placeholder stands in for both.
    pub(super) async fn assemble(
        store: &Store,
        current: Option<&Current>,
        candidates: &[Candidate],
        after: &Routes,
        values: &HandlerValues,
        answers: Arc<Answers>,
    ) -> anyhow::Result<Self> {
        let bills = bills(store, current, candidates, after).await?;
        let runtime = runtime(&OutgoingConfig::default())?;
        let mut loaded = BTreeMap::new();
        for (handler, digest) in bills.values().filter_map(|bill| bill.present.clone()) {
            if let Entry::Vacant(place) = loaded.entry((handler.clone(), digest)) {
                let artifact = store.artifact(digest).await?;
                let made = tokio::task::block_in_place(|| load(&runtime, artifact, &handler, values));
                let made = made.with_context(|| {
                    format!("what serves as {handler} now ({}) can't be rehearsed beside the new", short(digest))
                })?;
                place.insert(made);
            }
        }
        for candidate in bills.values().filter_map(|bill| bill.candidate) {
            let Candidate { handler, digest, path, artifact, .. } = candidate;
            let handler = &handler.name;
            if let Entry::Vacant(place) = loaded.entry((handler.clone(), *digest)) {
                let made = tokio::task::block_in_place(|| load(&runtime, artifact.clone(), handler, values));
                place.insert(made.with_context(|| path.display().to_string())?);
            }
        }
        let find = |key: (String, Digest)| loaded.get(&key).cloned();
        let roles = bills.into_iter().map(|(event_type, bill)| {
            let candidate = bill.candidate.and_then(|it| find((it.handler.name.clone(), it.digest)));
            (event_type, Role { handler: bill.handler, present: bill.present.and_then(find), candidate })
        });
        Ok(Self { roles: roles.collect(), runtime, answers })
    }

    /// Who handles events of this type, if anybody's are rehearsed.
    pub(super) fn role(&self, event_type: &str) -> Option<&Role> {
        self.roles.get(event_type)
    }

    /// The handlers that are deployed anew.
    pub(super) fn handlers(&self) -> impl Iterator<Item = &str> {
        self.roles.values().map(|role| role.handler.as_str())
    }

    /// What an event comes to with what serves now, and with the candidate.
    pub(super) async fn play(&self, role: &Role, received: &Received) -> anyhow::Result<(Option<Seen>, Seen)> {
        let present = match &role.present {
            Some(handler) => Some(self.run(handler, received).await?),
            None => None,
        };
        let candidate = match &role.candidate {
            Some(handler) => self.run(handler, received).await?,
            None => Seen::unserved(),
        };
        Ok((present, candidate))
    }

    /// Runs a handler on an event: on the event's own machine, with a store in which nothing is, and with nothing leaving.
    async fn run(&self, handler: &Handler, received: &Received) -> anyhow::Result<Seen> {
        let prompter = Arc::new(Prompter::new(&self.answers));
        let store = Arc::new(MemoryStore::new(KEPT));
        let stand_in = Arc::clone(&prompter) as Arc<dyn StandIn>;
        let component = self.runtime.withheld(&handler.component, &handler.grant, stand_in, store.clone());
        let captured = Arc::new(Captured::default());
        let sink = Arc::clone(&captured) as Arc<dyn OutputSink>;
        let surroundings = Surroundings { sink, machine: Arc::new(Replayed::of(received)) };
        let cause = Some(Cause::of(received, &handler.name, None, MOST));
        let invocation = component.invoke(received, cause, &handler.grant, handler.deadline, &surroundings).await;
        let kept = seen::kept(&*store, &handler.grant.key_value).await?;
        let hide = |text: &str| handler.grant.config.hide(text);
        Ok(Seen::of(invocation, prompter.take(), kept, captured.take(), hide))
    }
}

/// What is to be loaded for which event types: all that the candidates list, and those that what they replace lists and
/// nobody would serve after them.
async fn bills<'a>(
    store: &Store,
    current: Option<&Current>,
    candidates: &'a [Candidate],
    after: &Routes,
) -> anyhow::Result<BTreeMap<String, Bill<'a>>> {
    let handlers = current.map(|current| current.release.handlers.clone()).unwrap_or_default();
    let before = Routes::of(&handlers, &[], store).await?;
    let mut serving = BTreeMap::new();
    for (handler, served) in &handlers {
        let serves = |event_type| (event_type, (handler.clone(), served.artifact));
        serving.extend(before.events(handler, served.artifact).map(serves));
    }
    let mut bills = BTreeMap::new();
    for candidate in candidates {
        let handler = &candidate.handler.name;
        let replaced = handlers.get(handler).map(|served| served.artifact);
        if replaced == Some(candidate.digest) {
            continue;
        }
        for event_type in &candidate.handler.events {
            let present = serving.get(event_type.as_str()).cloned();
            let bill = Bill { handler: handler.clone(), present, candidate: Some(candidate) };
            bills.insert(event_type.clone(), bill);
        }
        for event_type in replaced.into_iter().flat_map(|digest| before.events(handler, digest)) {
            if !after.serve(event_type) {
                let present = serving.get(event_type).cloned();
                bills.insert(event_type.to_owned(), Bill { handler: handler.clone(), present, candidate: None });
            }
        }
    }
    Ok(bills)
}

/// Loads an artifact as a host would, with a placeholder for each value that only the operator has and nobody gave here.
fn load(runtime: &Runtime, mut artifact: Artifact, name: &str, values: &HandlerValues) -> anyhow::Result<Arc<Handler>> {
    let terms = terms(values.clone());
    loop {
        match artifact.load(runtime, name, &terms) {
            // Each time for another key, so there is an end.
            Err(ArtifactError::Manifest(ManifestError::Missing { key, .. })) => {
                artifact.manifest = with_placeholder(&artifact.manifest, &key)?;
            }
            loaded => return Ok(loaded?),
        }
    }
}

/// The manifest with a placeholder for the value of a key that it declares without one.
fn with_placeholder(manifest: &[u8], key: &str) -> anyhow::Result<Vec<u8>> {
    let mut manifest: toml::Table = std::str::from_utf8(manifest)?.parse()?;
    let config = manifest.get_mut("config").and_then(toml::Value::as_table_mut);
    match config.and_then(|config| config.get_mut(key)).filter(|value| value.is_table()) {
        Some(value) => *value = PLACEHOLDER.into(),
        None => bail!("handler.toml: the key {key} has no value, and no place for one"),
    }
    Ok(manifest.to_string().into_bytes())
}

//! The versions of `tidemill:handler` that are served side by side: the present one, and the last one, for handlers that
//! were built before it. Which of them a handler was built for shows once, when it is loaded; all else knows the present
//! one alone. How a version follows another is told in `wit/README.md`.

mod last;
mod present;

use std::fmt;

use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store};

use super::LoadError;
use super::state::GuestState;
pub(super) use present::{Failure, events, logging};

/// The package, as the names of its interfaces begin.
const PACKAGE: &str = "tidemill:handler";

/// A version of the interface between host and handler that this host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// The one that this host was made for.
    Present,
    /// The one before, for handlers that are not built anew yet.
    Last,
}

impl Interface {
    /// All that are served, the newest first.
    const ALL: [Self; 2] = [Self::Present, Self::Last];

    const fn version(self) -> &'static str {
        match self {
            Self::Present => "0.2.0",
            Self::Last => "0.1.0",
        }
    }

    /// The full name of an interface of the package in this version.
    pub(super) fn name_of(self, interface: &str) -> String {
        format!("{PACKAGE}/{interface}@{}", self.version())
    }

    /// The version that a component is to be run by: the newest of those that it exports a handler for. The engine looks
    /// names up by their versions' compatibility, so a component built for 0.2.5 exports what one for 0.2.0 does.
    ///
    /// # Errors
    /// Where it exports none, with what can be done about it.
    pub(super) fn of<'a>(component: &Component, exports: impl Iterator<Item = &'a str>) -> Result<Self, LoadError> {
        let exported = |interface: &Self| component.get_export_index(None, &*interface.name_of("handler")).is_some();
        Self::ALL.into_iter().find(exported).ok_or_else(|| unserved(&exports.collect::<Vec<_>>()))
    }

    /// The versions that are served, for a sentence.
    pub(super) fn served() -> String {
        Self::ALL.map(|interface| interface.to_string()).join(" and ")
    }
}

/// The version without its patch, which makes no difference: `0.2`.
impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version();
        f.write_str(version.rsplit_once('.').map_or(version, |(minor, _)| minor))
    }
}

/// What is wrong with a component that exports these and no handler that is served.
fn unserved(exports: &[&str]) -> LoadError {
    let handler = |export: &&str| export.strip_prefix(PACKAGE)?.strip_prefix("/handler@").map(str::to_owned);
    match exports.iter().find_map(handler) {
        Some(version) if minor(&version) > minor(Interface::Present.version()) => LoadError::Newer { version },
        Some(version) => LoadError::Older { version },
        None if exports.is_empty() => LoadError::NotAHandler { exports: "nothing".to_owned() },
        None => {
            let exports: Vec<_> = exports.iter().map(|name| format!("`{name}`")).collect();
            LoadError::NotAHandler { exports: exports.join(", ") }
        }
    }
}

/// What of a version has to be the same, or to be newer: its major and its minor number. The engine has seen to it that
/// there are both.
fn minor(version: &str) -> [Option<u64>; 2] {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    [numbers.next().flatten(), numbers.next().flatten()]
}

/// A handler that is linked, by the version of the interface that it was built for.
#[derive(Clone)]
pub(super) enum Linked {
    Present(present::EmbedderPre<GuestState>),
    Last(last::EmbedderPre<GuestState>),
}

impl Linked {
    pub(super) fn new(interface: Interface, pre: InstancePre<GuestState>) -> wasmtime::Result<Self> {
        match interface {
            Interface::Present => present::EmbedderPre::new(pre).map(Self::Present),
            Interface::Last => last::EmbedderPre::new(pre).map(Self::Last),
        }
    }

    pub(super) fn interface(&self) -> Interface {
        match self {
            Self::Present(_) => Interface::Present,
            Self::Last(_) => Interface::Last,
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::Present(pre) => pre.engine(),
            Self::Last(pre) => pre.engine(),
        }
    }

    /// The component that is linked.
    pub(super) fn component(&self) -> &Component {
        match self {
            Self::Present(pre) => pre.instance_pre().component(),
            Self::Last(pre) => pre.instance_pre().component(),
        }
    }

    /// Makes an instance and looks at its types, without an event.
    pub(super) async fn instantiate(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Exports> {
        match self {
            Self::Present(pre) => pre.instantiate_async(store).await.map(Exports::Present),
            Self::Last(pre) => pre.instantiate_async(store).await.map(Exports::Last),
        }
    }
}

/// What an instance exports, by the same.
pub(super) enum Exports {
    Present(present::Embedder),
    Last(last::Embedder),
}

impl Exports {
    /// Has the instance, which is the one in this store, handle an event.
    pub(super) async fn handle(
        &self,
        store: &mut Store<GuestState>,
        event: events::Event<'_>,
    ) -> wasmtime::Result<Result<(), Failure>> {
        match self {
            Self::Present(instance) => instance.tidemill_handler_handler().call_handle(store, event).await,
            Self::Last(instance) => {
                let attributes = last::attributes(event.attributes);
                let event = last::event(event, &attributes);
                let answer = instance.tidemill_handler_handler().call_handle(store, event).await?;
                Ok(answer.map_err(Failure::from))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: &str) -> String {
        unserved(&["wasi:cli/run@0.2.0", &format!("tidemill:handler/handler@{version}")]).to_string()
    }

    #[test]
    fn a_newer_one_is_told_to_upgrade_the_host_and_an_older_one_to_build_anew() {
        for newer in ["0.3.0", "0.10.1", "1.0.0", "0.3.0-rc.1"] {
            let told = told(newer);
            assert!(told.contains(newer) && told.contains("upgrade the host"), "{told}");
        }
        // A candidate comes before what it is a candidate for, and is like nothing else.
        for older in ["0.0.9", "0.1.0-draft", "0.2.0-rc.1"] {
            let told = told(older);
            assert!(told.contains(older) && told.contains("build it anew for 0.2"), "{told}");
        }
    }
}

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::state::GuestState;
use super::{Grant, http, interface, key_value, publishing};

/// What guests may import: one linker for all that are granted the same, since making one takes as long as loading code that
/// is compiled already. Cheap to clone.
#[derive(Clone)]
pub(super) struct Linkers {
    /// What every guest may import.
    plain: Arc<Linker<GuestState>>,
    made: Arc<Mutex<BTreeMap<Capabilities, Arc<Linker<GuestState>>>>>,
}

/// What was granted, as far as it decides what may be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Capabilities {
    http: bool,
    key_value: bool,
    publish: bool,
}

impl Capabilities {
    fn of(grant: &Grant) -> Self {
        let Grant { http, key_value, publish, .. } = grant;
        Self { http: !http.is_empty(), key_value: !key_value.is_empty(), publish: !publish.is_empty() }
    }
}

impl Linkers {
    /// For the guests of this engine.
    pub(super) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut plain = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut plain)?;
        wasmtime_wasi_config::add_to_linker(&mut plain, GuestState::config)?;
        interface::logging::add_to_linker::<_, HasSelf<_>>(&mut plain, |state| state)?;
        Ok(Self { plain: Arc::new(plain), made: Arc::default() })
    }

    /// What a guest may import. A capability that was not granted isn't there to be called.
    pub(super) fn for_grant(&self, grant: &Grant) -> wasmtime::Result<Arc<Linker<GuestState>>> {
        let capabilities = Capabilities::of(grant);
        // Who loads takes this lock, and nobody who handles an event.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = made.get(&capabilities) {
            return Ok(Arc::clone(linker));
        }
        let linker = Arc::new(self.make(capabilities)?);
        made.insert(capabilities, Arc::clone(&linker));
        Ok(linker)
    }

    fn make(&self, capabilities: Capabilities) -> wasmtime::Result<Linker<GuestState>> {
        let mut linker = Linker::clone(&self.plain);
        if capabilities.http {
            http::add_to_linker(&mut linker)?;
        }
        if capabilities.key_value {
            key_value::add_to_linker(&mut linker)?;
        }
        if capabilities.publish {
            publishing::add_to_linker(&mut linker)?;
        }
        Ok(linker)
    }
}

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;

use super::bindings::{EmbedderPre, HANDLER_EXPORT};
use super::state::GuestState;

/// A page of linear memory, in bytes.
const PAGE: u64 = 64 << 10;

/// A compiled and linked handler, ready to be instantiated. Cheap to clone; its code is freed with the last clone.
#[derive(Clone)]
pub struct Component {
    pre: EmbedderPre<GuestState>,
}

/// Why bytes are no handler that this host can run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no WebAssembly, are cut short, or ask for a feature that is off.
    #[error("not a WebAssembly component that can be compiled: {0:#}")]
    Compile(#[source] wasmtime::Error),
    /// A core module where a component is due.
    #[error(
        "a core WebAssembly module, not a component: build it for the target wasm32-wasip2, or with `tidemill build`"
    )]
    CoreModule,
    /// A component of another world.
    #[error(
        "it doesn't export `{HANDLER_EXPORT}`, so it is no handler (it exports {exports}): build it against the world \
         `event-handler` of wit/, in Rust with the attribute `#[tidemill_sdk::handler]`"
    )]
    NotAHandler {
        /// What it exports instead.
        exports: String,
    },
    /// It can't even begin within its memory.
    #[error(
        "its memory begins at {least} bytes, more than the {memory} that it may have: ask for more in its handler.toml, \
         [limits] memory"
    )]
    Memory {
        /// What its memory begins at, in bytes.
        least: u64,
        /// What it may have, in bytes.
        memory: usize,
    },
    /// Something is imported that can't be given.
    #[error("it imports what this host doesn't give it: {cause:#}{hint}")]
    Import {
        /// What to do about it, where that is known.
        hint: &'static str,
        /// The linker's word for it.
        #[source]
        cause: wasmtime::Error,
    },
}

impl Component {
    pub(super) fn load(
        engine: &Engine,
        linker: &Linker<GuestState>,
        wasm: &[u8],
        memory: usize,
    ) -> Result<Self, LoadError> {
        // A core module's header differs from a component's in its version field alone.
        if wasm.starts_with(b"\0asm\x01\0\0\0") {
            return Err(LoadError::CoreModule);
        }
        let component = wasmtime::component::Component::from_binary(engine, wasm).map_err(LoadError::Compile)?;
        let ty = component.component_type();
        if ty.get_export(engine, HANDLER_EXPORT).is_none() {
            let exports: Vec<_> = ty.exports(engine).map(|(name, _)| format!("`{name}`")).collect();
            let exports = if exports.is_empty() { "nothing".into() } else { exports.join(", ") };
            return Err(LoadError::NotAHandler { exports });
        }
        let wants_http = ty.imports(engine).any(|(name, item)| {
            matches!(item.ty, ComponentItem::ComponentInstance(_)) && name.starts_with("wasi:http/outgoing-handler")
        });
        let import = |cause| LoadError::Import {
            hint: if wants_http {
                "; it sends HTTP requests, which its handler.toml has to ask for: [permissions] http = [\"https://…\"]"
            } else {
                ""
            },
            cause,
        };
        // `None` where the component's parts are known only once it is instantiated; the limit then holds there.
        let pages = component.resources_required().and_then(|needs| needs.max_initial_memory_size);
        let least = pages.map(|pages| pages.saturating_mul(PAGE));
        if let Some(least) = least.filter(|least| usize::try_from(*least).is_ok_and(|least| least > memory)) {
            return Err(LoadError::Memory { least, memory });
        }
        let pre = linker.instantiate_pre(&component).map_err(import)?;
        Ok(Self { pre: EmbedderPre::new(pre).map_err(import)? })
    }

    pub(super) fn pre(&self) -> &EmbedderPre<GuestState> {
        &self.pre
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").finish_non_exhaustive()
    }
}

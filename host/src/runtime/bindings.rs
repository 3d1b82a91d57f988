//! The host's side of `wit/`: the handler export, and `wasi:logging`. The other imports are from wasmtime's own crates.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, which documents each item")]
#![allow(clippy::indexing_slicing, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package tidemill:host;
        world embedder {
            import wasi:logging/logging@0.1.0-draft;
            export tidemill:handler/handler@0.1.0;
        }
    ",
    exports: { default: async },
});

pub(crate) use exports::tidemill::handler::handler::Failure;
pub(crate) use tidemill::handler::events;
pub(crate) use wasi::logging::logging;

/// The export that makes a component a handler, as its error messages name it.
pub(crate) const HANDLER_EXPORT: &str = "tidemill:handler/handler@0.1.0";

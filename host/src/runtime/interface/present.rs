//! The host's side of `wit/`, the present version: the handler export, and `wasi:logging`. The other imports are from
//! wasmtime's own crates.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, which documents each item")]
#![allow(clippy::indexing_slicing, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package tidemill:host;
        world embedder {
            import wasi:logging/logging@0.1.0-draft;
            export tidemill:handler/handler@0.2.0;
        }
    ",
    exports: { default: async },
    // What is handed to a guest is written from where it lies into the guest's memory.
    ownership: Borrowing { duplicate_if_necessary: false },
});

pub(crate) use exports::tidemill::handler::handler::Failure;
pub(crate) use tidemill::handler::events;
pub(crate) use wasi::logging::logging;

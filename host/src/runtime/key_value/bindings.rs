//! The host's side of `wasi:keyvalue`, whose own crate keeps everything in one instance's memory.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, which documents each item")]
#![allow(clippy::indexing_slicing, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package tidemill:key-value;
        world keeper {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
        }
    ",
    imports: { default: async | trappable },
    with: {
        "wasi:keyvalue/store.bucket": super::keeping::Bucket,
        "wasi:keyvalue/atomics.cas": super::keeping::Swap,
    },
    trappable_error_type: { "wasi:keyvalue/store.error" => super::refusal::Failed },
});

pub(super) use wasi::keyvalue::{atomics, store};

//! The host's side of `tidemill:handler/publisher`.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, which documents each item")]
#![allow(clippy::indexing_slicing, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package tidemill:publishing;
        world publishes {
            import tidemill:handler/publisher@0.2.0;
        }
    ",
});

pub(super) use tidemill::handler::publisher;

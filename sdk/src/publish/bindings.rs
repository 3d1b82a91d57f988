//! The guest's side of `tidemill:handler/publisher`, generated.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated from wit/, which documents each item; it lowers and lifts values across the component's border"
)]

wit_bindgen::generate!({
    path: "../wit",
    inline: "
        package tidemill:sdk-publish;

        world publishes {
            import tidemill:handler/publisher@0.2.0;
        }
    ",
    world: "tidemill:sdk-publish/publishes",
    generate_all,
});

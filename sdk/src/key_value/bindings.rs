//! The guest's side of `wasi:keyvalue`, generated.
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
        package tidemill:sdk-key-value;

        world keeper {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
        }
    ",
    world: "tidemill:sdk-key-value/keeper",
    generate_all,
});

//! The guest's side of `wit/`, generated.
//!
//! A handler's world without its outgoing HTTP: the feature `http` brings bindings of that, and a second set would only
//! cost time to compile.
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
        package tidemill:sdk;

        world guest {
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
            export tidemill:handler/handler@0.2.0;
        }
    ",
    world: "tidemill:sdk/guest",
    generate_all,
    pub_export_macro: true,
});

//! The one place of unsafe code: what compiled code may use of the processor, and loading code that was compiled before.
#![expect(unsafe_code, reason = "what native code does can't be checked by the compiler; see the comments on each use")]

use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::trust::AuthenticCode;

/// Makes a component of code that an engine of the same kind has compiled.
///
/// # Errors
/// Where it was compiled by another version, with other settings, or for other processors: the engine compares them.
pub(super) fn load(engine: &Engine, code: &AuthenticCode) -> wasmtime::Result<Component> {
    // SAFETY: the engine demands of these bytes that they are what its own compiler gave out, unchanged, since it runs
    // them. `AuthenticCode` is made in `trust` alone, of bytes that a key which the operator trusts has signed as such,
    // or that this host's cache has sealed when its own compiler made them. The check was over the very bytes that are in
    // memory here, which nobody else can change: it is not a file that is mapped.
    unsafe { Component::deserialize(engine, code.bytes()) }
}

/// Settles what compiled code uses of the processor, and gives it a name, so that hosts can load each other's code: on
/// x86-64 the features of the level v3 of its psABI that Cranelift knows (servers have had them since Haswell and Zen), on
/// aarch64 none beyond the first version of the architecture. A processor without them, and any other, has code compiled
/// for exactly what it is.
///
/// # Errors
/// Where the engine doesn't know the target, which its version decides.
pub(super) fn settle_target(config: &mut Config) -> wasmtime::Result<&'static str> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Some(features) = x86_64_v3() {
        // With a target that is named, the engine infers nothing from the processor at hand.
        config.target("x86_64-unknown-linux-gnu")?;
        for feature in features {
            // SAFETY: the flag must not make the compiler produce what the processor can't run, or change what code means.
            // These only allow instructions that were just found to be there; and an engine refuses to load code with
            // features that its processor lacks.
            unsafe { config.cranelift_flag_enable(feature) };
        }
        return Ok("x86-64-v3");
    }
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    config.target("aarch64-unknown-linux-gnu")?;
    _ = config;
    Ok(std::env::consts::ARCH)
}

/// The features, as Cranelift names them, if this processor has them all.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn x86_64_v3() -> Option<[&'static str; 11]> {
    let features = [
        ("has_sse3", is_x86_feature_detected!("sse3")),
        ("has_ssse3", is_x86_feature_detected!("ssse3")),
        ("has_sse41", is_x86_feature_detected!("sse4.1")),
        ("has_sse42", is_x86_feature_detected!("sse4.2")),
        ("has_popcnt", is_x86_feature_detected!("popcnt")),
        ("has_avx", is_x86_feature_detected!("avx")),
        ("has_avx2", is_x86_feature_detected!("avx2")),
        ("has_bmi1", is_x86_feature_detected!("bmi1")),
        ("has_bmi2", is_x86_feature_detected!("bmi2")),
        ("has_fma", is_x86_feature_detected!("fma")),
        ("has_lzcnt", is_x86_feature_detected!("lzcnt")),
    ];
    features.iter().all(|(_, there)| *there).then(|| features.map(|(name, _)| name))
}

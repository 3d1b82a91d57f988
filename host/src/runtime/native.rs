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

/// Settles what compiled code uses of the processor, and gives it a name: on x86-64 the features of the level v3 of its
/// psABI, which all servers since 2013 have and which Cranelift knows, so that hosts can load each other's code. A processor
/// without them, or another architecture, has code compiled for exactly what it is.
///
/// # Errors
/// Where the engine knows the target or a feature not at all, which its version decides.
pub(super) fn settle_target(config: &mut Config) -> wasmtime::Result<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        /// As Cranelift names them.
        const FEATURES: [&str; 11] = [
            "has_sse3",
            "has_ssse3",
            "has_sse41",
            "has_sse42",
            "has_popcnt",
            "has_avx",
            "has_avx2",
            "has_bmi1",
            "has_bmi2",
            "has_fma",
            "has_lzcnt",
        ];
        let there = is_x86_feature_detected!("sse4.2")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("lzcnt");
        if there {
            // With a target that is named, the engine infers nothing from the processor at hand.
            config.target("x86_64-unknown-linux-gnu")?;
            for feature in FEATURES {
                // SAFETY: the flag must not make the compiler produce what the processor can't run, or change what code
                // means. These only allow instructions which were just found to be there; and an engine refuses to load
                // code with features that its processor lacks.
                unsafe { config.cranelift_flag_enable(feature) };
            }
            return Ok("x86-64-v3");
        }
    }
    _ = config;
    Ok(std::env::consts::ARCH)
}

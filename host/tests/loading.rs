//! What is refused when it is loaded, rather than at each of its events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{Grant, Limits, LoadError, Runtime, RuntimeConfig};

/// A component that exports the handler interface, made of these core modules, with a function that takes nothing.
fn handler_of(modules: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            {modules}
            (core module $m (func (export "handle")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "handle")))
            (instance $h (export "handle" (func $f)))
            (export "tidemill:handler/handler@0.2.0" (instance $h)))"#
    ))
    .unwrap()
}

fn refused(wasm: &[u8], memory: usize) -> LoadError {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 256 << 20, outgoing }).unwrap();
    runtime.load(wasm, &Grant { limits: Limits { memory, ..Limits::default() }, ..Grant::default() }).unwrap_err()
}

#[test]
fn a_function_of_another_type() {
    let error = refused(&handler_of(""), 64 << 20);
    assert!(matches!(error, LoadError::Interface(_)), "{error}");
}

#[test]
fn memories_that_fit_one_by_one_and_not_together() {
    let memory = "(core module $a (memory 640)) (core instance (instantiate $a))";
    let memories = format!("{memory} {}", memory.replace("$a", "$b"));
    let error = refused(&handler_of(&memories), 64 << 20);
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
    let error = refused(&handler_of(&memories), 128 << 20);
    assert!(matches!(error, LoadError::Interface(_)), "it fits, and has the wrong type: {error}");
}

#[test]
fn more_memories_than_a_slot_has() {
    let memories: String =
        ["$a", "$b", "$c"].map(|n| format!("(core module {n} (memory 1)) (core instance (instantiate {n}))")).concat();
    let error = refused(&handler_of(&memories), 64 << 20);
    assert!(matches!(error, LoadError::Compile(_)), "{error}");
}

#[test]
fn a_start_that_never_ends() {
    let spins = "(core module $s (func $f (loop (br 0))) (start $f)) (core instance (instantiate $s))";
    let error = refused(&handler_of(spins), 64 << 20);
    assert!(matches!(error, LoadError::Start(_)), "{error}");
}

#[test]
fn a_start_that_traps() {
    let traps = "(core module $s (func $f unreachable) (start $f)) (core instance (instantiate $s))";
    let error = refused(&handler_of(traps), 64 << 20);
    assert!(matches!(error, LoadError::Interface(_)), "{error}");
}

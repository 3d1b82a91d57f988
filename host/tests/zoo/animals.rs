//! What is in the zoo: each animal with what it may have, and how it must end.

use hyper::StatusCode;
use serde_json::json;
use tidemill_test_artifacts::SCRIPTED;

use crate::common::wasm;
use crate::component;

/// A handler that means harm.
pub(crate) struct Animal {
    /// Its name, which is also the event type that it serves.
    pub(crate) name: &'static str,
    /// The lines of its `[limits]`.
    limits: &'static str,
    /// Its component.
    pub(crate) wasm: Vec<u8>,
    /// The data of the event that it does harm at.
    pub(crate) data: String,
    /// How that must end: the status, and the code.
    pub(crate) ends: (StatusCode, &'static str),
}

impl Animal {
    /// Its `handler.toml`.
    pub(crate) fn manifest(&self) -> String {
        let Self { name, limits, .. } = self;
        format!(
            "events = [{name:?}]\n[limits]\n{limits}\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n[config]\nkey = \"\"\n"
        )
    }
}

/// Space that is used up is 507, time 504, all else that goes wrong in a guest 500.
fn ending(code: &'static str) -> (StatusCode, &'static str) {
    let status = match code {
        "done" => StatusCode::NO_CONTENT,
        "deadline" | "cpu" => StatusCode::GATEWAY_TIMEOUT,
        "trap" | "host-calls" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::INSUFFICIENT_STORAGE,
    };
    (status, code)
}

/// All of them.
pub(crate) fn all() -> Vec<Animal> {
    let built = |name, limits, wasm, code| Animal { name, limits, wasm, data: "{}".into(), ends: ending(code) };
    let scripted = |name, limits, step: serde_json::Value, code| Animal {
        name,
        limits,
        wasm: wasm(SCRIPTED),
        data: json!([step]).to_string(),
        ends: ending(code),
    };
    vec![
        scripted("endless-loop", "deadline = \"200ms\"", json!("loop"), "deadline"),
        scripted("endless-loop-on-a-budget", "deadline = \"60s\"\ncpu = \"100ms\"", json!("loop"), "cpu"),
        scripted("waits-forever", "deadline = \"200ms\"\ncpu = \"100ms\"", json!({ "sleep_ms": 60_000 }), "deadline"),
        scripted("endless-host-calls", "deadline = \"60s\"\nhost-calls = 100000", json!("host_calls"), "host-calls"),
        scripted("memory-in-steps", "memory = \"16MiB\"", json!("memory"), "memory"),
        scripted("log-flood", "log = \"4KiB\"", json!({ "flood": 1_000_000 }), "done"),
        // A compiler's own stack lies in linear memory, and ends there long before the engine's does.
        scripted("deep-recursion", "", json!("overflow"), "trap"),
        scripted("ends-its-program", "", json!({ "exit": 3 }), "trap"),
        built("memory-at-once", "", component::memory_at_once(), "memory"),
        built("second-memory", "memory = \"8MiB\"", component::second_memory(), "memory"),
        built("table-bomb", "table-entries = 10000", component::table_bomb(), "table-entries"),
        built("tables-are-memory", "memory = \"160KiB\"", component::table_bomb(), "memory"),
        built("endless-recursion", "", component::recursion(), "stack"),
        built("million-resources", "", component::resources(), "resources"),
        built("million-timers", "", component::timers(), "resources"),
        built("huge-answer", "", component::huge_answer(), "data"),
        built("wild-answer", "", component::wild_answer(), "trap"),
        built("trap-in-realloc", "", component::realloc_trap(), "trap"),
        built("wild-realloc", "", component::wild_realloc(), "trap"),
        built("endless-realloc", "deadline = \"60s\"\ncpu = \"100ms\"", component::endless_realloc(), "cpu"),
        built("start-bomb", "deadline = \"20ms\"", component::start_bomb(), "deadline"),
    ]
}

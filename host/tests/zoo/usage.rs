//! Animals that want more of the host than is theirs.

use serde_json::{Value, json};
use tidemill_test_artifacts::SCRIPTED;

use crate::animals::Animal;
use crate::common::wasm;
use crate::component;

/// One that is built for its purpose.
fn built(name: &'static str, tries: &'static str, limits: &'static str, wasm: Vec<u8>, code: &'static str) -> Animal {
    let (permissions, data) = (String::new(), "{}".to_owned());
    Animal { name, tries, limits, permissions, wasm, data, code, told: &[], untold: &[] }
}

/// One that takes these steps.
fn scripted(name: &'static str, tries: &'static str, limits: &'static str, steps: Value, code: &'static str) -> Animal {
    let permissions = "http = [\"http://127.0.0.1:9\"]".to_owned();
    Animal { permissions, data: steps.to_string(), ..built(name, tries, limits, wasm(SCRIPTED), code) }
}

/// Time and calls.
fn time() -> Vec<Animal> {
    const BUDGET: &str = "deadline = \"60s\"\ncpu = \"100ms\"";
    vec![
        scripted("endless-loop", "computes forever", "deadline = \"200ms\"", json!(["loop"]), "deadline"),
        scripted(
            "endless-loop-on-a-budget",
            "computes forever, with all the time there is",
            BUDGET,
            json!(["loop"]),
            "cpu",
        ),
        scripted(
            "waits-forever",
            "waits, which costs it nothing of its budget",
            "deadline = \"200ms\"\ncpu = \"100ms\"",
            json!([{ "sleep_ms": 60_000 }]),
            "deadline",
        ),
        scripted(
            "endless-host-calls",
            "asks the host for the time, forever",
            "deadline = \"60s\"\nhost-calls = 100000",
            json!(["host_calls"]),
            "host-calls",
        ),
        built("endless-random", "asks for 64 KiB of random bytes, forever", BUDGET, component::random(64 << 10), "cpu"),
        Animal {
            told: &["67108864 exceeds limit 65536"],
            ..built(
                "random-at-once",
                "asks for 64 MiB of random bytes in one go, which nothing would interrupt",
                "",
                component::random(64 << 20),
                "trap",
            )
        },
        built(
            "endless-realloc",
            "computes forever where the host asks it for room",
            BUDGET,
            component::endless_realloc(),
            "cpu",
        ),
        built(
            "start-bomb",
            "computes long before it is there at all, for each event anew",
            "deadline = \"20ms\"",
            component::start_bomb(),
            "deadline",
        ),
    ]
}

/// Memory, stack, tables and resources.
fn space() -> Vec<Animal> {
    vec![
        scripted("memory-in-steps", "takes memory, 1 MiB at a time", "memory = \"16MiB\"", json!(["memory"]), "memory"),
        built("memory-at-once", "asks for nearly 4 GiB in one go", "", component::memory_at_once(), "memory"),
        built(
            "second-memory",
            "has a second memory, and takes as much for it again",
            "memory = \"8MiB\"",
            component::second_memory(),
            "memory",
        ),
        built(
            "table-bomb",
            "has a table grow without an end",
            "table-entries = 10000",
            component::table_bomb(),
            "table-entries",
        ),
        built(
            "tables-are-memory",
            "takes as a table what it may not have as memory",
            "memory = \"160KiB\"",
            component::table_bomb(),
            "memory",
        ),
        built(
            "hoarder",
            "fills two memories, nine tables and its stack, and stays",
            "deadline = \"200ms\"\ntable-entries = 80000",
            component::hoarder(),
            "deadline",
        ),
        built("endless-recursion", "calls itself without an end", "", component::recursion(), "stack"),
        // A compiler's own stack lies in linear memory, and ends there long before the engine's does.
        scripted("deep-recursion", "the same, compiled from Rust", "", json!(["overflow"]), "trap"),
        built(
            "million-resources",
            "makes resources of its own and drops none",
            "",
            component::resources(),
            "resources",
        ),
        Animal {
            permissions: "http = [\"http://127.0.0.1:9\"]".to_owned(),
            ..built(
                "million-requests",
                "makes requests with a megabyte in the method of each, and sends none",
                "",
                component::requests(),
                "trap",
            )
        },
        built("million-timers", "has the host make timers and drops none", "", component::timers(), "resources"),
    ]
}

/// What it hands the host: its answer, the room for its event, its log.
fn answers() -> Vec<Animal> {
    const CUT: &[&str] = &["further bytes of output dropped"];
    const SHORT: &str = "log = \"4KiB\"";
    let line = "x".repeat(4 << 10);
    let stderr = json!(vec![json!({ "stderr": line }); 64]);
    let logged = json!(vec![json!({ "log": { "level": "error", "context": "x", "message": line } }); 64]);
    vec![
        built("huge-answer", "answers with 20 MiB of reason", "", component::huge_answer(), "data"),
        built("wild-answer", "answers with a reason outside its memory", "", component::wild_answer(), "trap"),
        built("trap-in-realloc", "traps where the host asks it for room", "", component::realloc_trap(), "trap"),
        built("wild-realloc", "gives the host room outside its memory", "", component::wild_realloc(), "trap"),
        scripted("ends-its-program", "calls `exit`", "", json!([{ "exit": 3 }]), "trap"),
        Animal {
            told: CUT,
            ..scripted("floods-stdout", "prints without measure", SHORT, json!([{ "flood": 1_000_000 }]), "done")
        },
        Animal { told: CUT, ..scripted("floods-stderr", "the same, to standard error", SHORT, stderr, "done") },
        Animal { told: CUT, ..scripted("floods-the-log", "the same, by `wasi:logging`", SHORT, logged, "done") },
    ]
}

/// All of them.
pub(crate) fn animals() -> Vec<Animal> {
    [time(), space(), answers()].into_iter().flatten().collect()
}

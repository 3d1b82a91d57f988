//! Holds the order of the rooms: each looks only where this table lets it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may name. A room that is not in the table may name none.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("serve", &["app", "config", "scrape", "server", "telemetry"]),
    ("scrape", &["metrics", "server"]),
    (
        "app",
        &[
            "auth",
            "config",
            "dead_letter",
            "dedup",
            "dispatch",
            "ingress",
            "key_value",
            "keys",
            "metrics",
            "outgoing",
            "publishing",
            "registry",
            "runtime",
            "server",
            "store",
            "trust",
        ],
    ),
    ("server", &["ingress"]),
    ("ingress", &["auth", "bound", "dispatch", "keys", "metrics", "outcome", "panicked", "runtime", "telemetry"]),
    ("auth", &["config"]),
    (
        "dispatch",
        &[
            "bound",
            "by_name",
            "config",
            "dead_letter",
            "dedup",
            "metrics",
            "outcome",
            "publishing",
            "registry",
            "runtime",
            "telemetry",
        ],
    ),
    ("metrics", &["by_name", "outcome", "runtime"]),
    ("dedup", &["config", "redis_link"]),
    ("key_value", &["config", "redis_link"]),
    ("redis_link", &["config"]),
    ("artifact", &[]),
    ("bound", &[]),
    ("by_name", &[]),
    ("panicked", &[]),
    ("trust", &["artifact"]),
    ("store", &["artifact", "trust"]),
    ("registry", &["artifact", "config", "key_value", "outgoing", "panicked", "runtime", "store", "trust"]),
    ("outcome", &["auth", "config", "publishing", "runtime"]),
    ("publishing", &["keys", "telemetry"]),
    ("dead_letter", &[]),
    ("keys", &["config"]),
    ("telemetry", &["config"]),
    ("runtime", &["key_value", "outgoing", "publishing", "trust"]),
    ("config", &["outgoing", "store", "trust"]),
    ("outgoing", &[]),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn each_room_names_only_those_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = BTreeSet::new();
    for path in files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed =
            MAY_NAME.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is in no table")).1;
        let text = fs::read_to_string(&path).unwrap();
        let named = text
            .split("crate::")
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>());
        for other in named.filter(|other| *other != room) {
            assert!(allowed.contains(&other.as_str()), "{} names `{other}`, which `{room}` may not", inside.display());
        }
        looked_at.insert(room);
    }
    assert_eq!(looked_at.len(), MAY_NAME.len(), "a room of the table is gone: {looked_at:?}");
}

/// wasmtime has one room; what others know of it are that room's own types.
#[test]
fn only_the_runtime_names_wasmtime() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in files(&src).into_iter().filter(|path| !path.starts_with(src.join("runtime"))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("wasmtime::") && !text.contains("wasmtime_wasi"), "{} names wasmtime", path.display());
    }
}

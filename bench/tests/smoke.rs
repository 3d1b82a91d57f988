//! A few hundred events of every part's, against the bare server and the host as the tests have it: that it works, and what
//! it counts. How long anything takes is not judged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const BLOCKS: &str =
    "# Page\n\n<!-- bench:contenders -->\n<!-- /bench -->\n\n<!-- bench:memory -->\nold\n<!-- /bench -->\n";

/// Runs a part with few events, and gives its figures, and the page.
fn bench(folder: &Path, part: &str) -> (Value, String) {
    let page = folder.join("page.md");
    fs::write(&page, BLOCKS).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_tidemill-bench"))
        .args([part, "--quick", "--only", "host", "--peers", "/nowhere", "--page"])
        .arg(&page)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let results = fs::read(folder.join("page/results.json")).unwrap();
    let mut results: Value = serde_json::from_slice(&results).unwrap();
    (results[part]["figures"].take(), fs::read_to_string(page).unwrap())
}

#[test]
fn every_event_is_answered_and_counted_and_what_comes_of_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (figures, page) = bench(folder.path(), "contenders");
    let names: Vec<_> = figures["contenders"].as_array().unwrap().iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("native"), Some("host"), Some("host, log-level=warn"), Some("host, reuse=1000")]);
    for row in figures["contenders"].as_array().unwrap() {
        assert!(
            row["cpu_us"]["median"].as_f64().unwrap() > 0.0 && row["half_load_ns"][2].as_u64().unwrap() > 0,
            "{row}"
        );
    }
    assert!(page.contains("| native |") && page.contains("\nold\n"), "{page}");
    for plot in ["contenders", "latency"] {
        let svg = fs::read_to_string(folder.path().join("page").join(plot).with_extension("svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("host"), "{plot}");
    }
}

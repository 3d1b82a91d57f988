//! What keeps the pages and the tree together.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this is two.
const CEILING: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn what_the_architecture_page_names_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let named: Vec<_> = quoted.filter(|text| text.contains('/') && !text.contains([' ', ':', '*'])).collect();
    assert!(named.len() > 20, "only {} paths: is the page still of this form?", named.len());
    for path in named {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names `{path}`, which doesn't exist");
    }
}

/// The modules that may hold unsafe code: one that is written by hand, and the guests' generated bindings. Who wants another
/// one writes it here, and says why in the module.
const LET_OFF: [&str; 5] = [
    "guest-handlers/fixtures/last-interface/src/bindings.rs",
    "host/src/runtime/native.rs",
    "sdk/src/bindings.rs",
    "sdk/src/key_value/bindings.rs",
    "sdk/src/publish/bindings.rs",
];

#[test]
fn unsafe_code_is_in_the_modules_that_are_let_off_alone() {
    let letting_off = concat!("unsafe", "_code,");
    let found: Vec<_> =
        sources().into_iter().filter(|path| fs::read_to_string(path).unwrap().contains(letting_off)).collect();
    let let_off: Vec<_> = LET_OFF.iter().map(|path| root().join(path)).collect();
    assert_eq!(found, let_off);
}

#[test]
fn no_source_file_is_longer_than_the_ceiling() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files seen", sources.len());
    for path in sources {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= CEILING, "{} has {lines} lines, more than {CEILING}: split it", path.display());
    }
}

/// Every file of Rust in the project, in order.
fn sources() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    sources
}

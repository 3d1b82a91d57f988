//! What each component imports and exports: a handler asks for nothing that it doesn't use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use tidemill_test_artifacts::{self as artifacts, assert_test_exists, foreach_fixture, foreach_handler};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

foreach_handler!(assert_test_exists);
foreach_fixture!(assert_test_exists);

const PRESENT: &str = "0.2.0";
const LAST: &str = "0.1.0";

/// What the standard library may import: none of it reaches out of the sandbox.
const STANDARD: [&str; 5] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];
const HTTP: [&str; 2] = ["wasi:http/outgoing-handler", "wasi:http/types"];
const KEY_VALUE: [&str; 2] = ["wasi:keyvalue/atomics", "wasi:keyvalue/store"];
const PUBLISH: [&str; 1] = ["tidemill:handler/publisher"];
const CONFIG: [&str; 1] = ["wasi:config/store"];
const LOGGING: [&str; 1] = ["wasi:logging/logging"];

/// The names of a component's imports and exports.
struct Surface {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Surface {
    fn of(path: &str) -> Self {
        Self::in_bytes(&std::fs::read(path).unwrap())
    }

    fn in_bytes(wasm: &[u8]) -> Self {
        Validator::new_with_features(WasmFeatures::default()).validate_all(wasm).unwrap();
        let (mut imports, mut exports, mut depth) = (BTreeSet::new(), BTreeSet::new(), 0);
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                // Modules and components inside have imports and exports of their own, which the outer ones wire up.
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
                }
                _ => {}
            }
        }
        Self { imports, exports }
    }

    /// Holds where it is a handler that imports the standard library's interfaces, all of `further`, and nothing else.
    #[track_caller]
    fn is_a_handler_with(&self, further: &[&str]) {
        self.is_a_handler_of(PRESENT, further);
    }

    /// The same of a handler that is built for this version of the interface.
    #[track_caller]
    fn is_a_handler_of(&self, version: &str, further: &[&str]) {
        assert_eq!(self.exports, BTreeSet::from([format!("tidemill:handler/handler@{version}")]));
        let events = format!("tidemill:handler/events@{version}");
        let reaching_out: BTreeSet<&str> = self
            .imports
            .iter()
            .filter(|import| **import != events && !STANDARD.iter().any(|standard| import.starts_with(standard)))
            .map(|import| import.split('@').next().unwrap())
            .collect();
        assert_eq!(reaching_out, further.iter().copied().collect());
    }
}

#[test]
fn email_on_register() {
    Surface::of(artifacts::EMAIL_ON_REGISTER).is_a_handler_with(&[&HTTP[..], &CONFIG].concat());
}

#[test]
fn push_on_like() {
    Surface::of(artifacts::PUSH_ON_LIKE).is_a_handler_with(&[&HTTP[..], &CONFIG].concat());
}

#[test]
fn user_name_changed() {
    Surface::of(artifacts::USER_NAME_CHANGED).is_a_handler_with(&[]);
}

#[test]
fn bench() {
    Surface::of(artifacts::BENCH).is_a_handler_with(&[]);
}

#[test]
fn empty() {
    Surface::of(artifacts::EMPTY).is_a_handler_with(&[]);
}

#[test]
fn count() {
    Surface::of(artifacts::COUNT).is_a_handler_with(&[]);
}

#[test]
fn scripted() {
    Surface::of(artifacts::SCRIPTED).is_a_handler_with(&[&HTTP[..], &CONFIG, &LOGGING].concat());
}

#[test]
fn key_value() {
    Surface::of(artifacts::KEY_VALUE).is_a_handler_with(&KEY_VALUE);
}

#[test]
fn publish() {
    Surface::of(artifacts::PUBLISH).is_a_handler_with(&PUBLISH);
}

#[test]
fn last_interface() {
    Surface::of(artifacts::LAST_INTERFACE).is_a_handler_of(LAST, &PUBLISH);
}

#[test]
fn wrong_world() {
    let surface = Surface::of(artifacts::WRONG_WORLD);
    assert!(surface.exports.iter().any(|export| export.starts_with("wasi:cli/run@")), "{:?}", surface.exports);
    assert!(!surface.exports.iter().any(|export| export.starts_with("tidemill:handler/")), "{:?}", surface.exports);
}

#[test]
fn a_component_is_named_as_one_for_another_version_and_stays_whole() {
    let wasm = artifacts::built_for("0.3.0", artifacts::PUBLISH).unwrap();
    Surface::in_bytes(&wasm).is_a_handler_of("0.3.0", &PUBLISH);
    assert!(artifacts::built_for("0.30.0", artifacts::PUBLISH).is_err());
    assert!(artifacts::built_for("0.3.0", artifacts::WRONG_WORLD).is_err());
}

#[test]
fn scripted_comes_in_as_many_versions_as_a_test_wants() {
    let versions = [0, 1, 99_999_999].map(|number| artifacts::scripted_version(number).unwrap());
    assert_eq!(versions[0], std::fs::read(artifacts::SCRIPTED).unwrap());
    assert_ne!(versions[1], versions[2]);
    for wasm in &versions {
        Validator::new_with_features(WasmFeatures::default()).validate_all(wasm).unwrap();
    }
    assert!(artifacts::scripted_version(100_000_000).is_err());
}

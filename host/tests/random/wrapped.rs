//! A handler around a core module that is known in its binary form only.

use crate::component;

/// What such a module looks like from outside: it has its memory from elsewhere, may ask for the time, for timers, for
/// resources and for lines in the log, and handles events.
const SHAPE: &str = r#"
    (import "host" "memory" (memory 2 256))
    (import "host" "now" (func (result i64)))
    (import "host" "timer" (func (param i64) (result i32)))
    (import "host" "new" (func (param i32) (result i32)))
    (import "host" "drop" (func (param i32)))
    (import "host" "log" (func (param i32 i32 i32 i32 i32)))
    (func (export "handle") (param i32) (result i32) unreachable)"#;

/// A module of that shape. It stands where the others go.
pub(crate) fn shape() -> Vec<u8> {
    wat::parse_str(format!("(module $random {SHAPE})")).unwrap()
}

/// A handler that is this module. What the canonical ABI needs beside it is in order, so that events get as far as there.
pub(crate) fn handler(module: &[u8]) -> Vec<u8> {
    let parts = format!(
        r#"
        (import "wasi:logging/logging@0.1.0-draft" (instance $logging
            (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
            (export "level" (type $level (eq $l)))
            (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
        (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $p))
            (export "pollable" (type $pollable (eq $p)))
            (export "now" (func (result u64)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
        (type $r (resource (rep i32)))
        (core module $room
            (memory (export "memory") 2 256)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
        (core instance $room (instantiate $room))
        (alias core export $room "memory" (core memory $memory))
        (alias core export $room "realloc" (core func $realloc))
        (core func $now (canon lower (func $clock "now")))
        (core func $timer (canon lower (func $clock "subscribe-duration")))
        (core func $new (canon resource.new $r))
        (core func $drop (canon resource.drop $pollable))
        (core func $log (canon lower (func $logging "log") (memory $memory)))
        (core module $random {SHAPE})
        (core instance $random (instantiate $random (with "host" (instance
            (export "memory" (memory $memory)) (export "now" (func $now)) (export "timer" (func $timer))
            (export "new" (func $new)) (export "drop" (func $drop)) (export "log" (func $log))))))
        (alias core export $random "handle" (core func $main))"#
    );
    replaced(&component::handler(&parts), &section(&shape()), &section(module))
}

/// A section of a component that is a core module: its id, its length in LEB128, and the module.
fn section(module: &[u8]) -> Vec<u8> {
    let (mut section, mut length) = (vec![1], module.len());
    while length >= 0x80 {
        section.push(length as u8 | 0x80);
        length >>= 7;
    }
    section.push(length as u8);
    section.extend_from_slice(module);
    section
}

/// The same bytes with others in the place of some, which are there once.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<_> = bytes.windows(old.len()).enumerate().filter(|(_, found)| *found == old).collect();
    let [(at, _)] = places.as_slice() else { panic!("{} places for the module", places.len()) };
    [&bytes[..*at], new, &bytes[at + old.len()..]].concat()
}

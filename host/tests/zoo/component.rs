//! Handlers in WebAssembly's text format: what no compiler would write.

/// A component that is a handler in every respect, around the parts of a core module.
///
/// It exports its memory, and has two pages of it, all zero but what the parts put there: a zero at an address is the
/// answer ok. `outside` is what the component has beside its core module, `inside` what the module has beside its memory.
fn component(outside: &str, inside: &str, with: &str) -> Vec<u8> {
    handler(&format!(
        r#"{outside}
            (core module $main
                {inside}
                (memory $first (export "memory") 2))
            (core instance $main (instantiate $main {with}))
            (alias core export $main "memory" (core memory $memory))
            (alias core export $main "realloc" (core func $realloc))
            (alias core export $main "handle" (core func $main))"#
    ))
}

/// A component that is a handler in every respect, of these parts. Among them are a core memory `$memory` and the core
/// functions `$realloc` and `$main`, which take an event.
pub(crate) fn handler(parts: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "tidemill:handler/events@0.2.0" (instance $events
                (type $ts (record (field "seconds" u64) (field "nanoseconds" u32)))
                (export "timestamp" (type $timestamp (eq $ts)))
                (type $at (record (field "name" string) (field "value" string)))
                (export "attribute" (type $attribute (eq $at)))
                (type $de (record
                    (field "message-id" string) (field "subscription" string) (field "attempt" (option u32))
                    (field "publish-time" (option $timestamp)) (field "ordering-key" (option string))
                    (field "time-limit-ms" u64)))
                (export "delivery" (type $delivery (eq $de)))
                (type $ev (record
                    (field "id" string) (field "event-type" string) (field "time" $timestamp)
                    (field "content-type" (option string)) (field "data" (list u8))
                    (field "attributes" (list $attribute)) (field "delivery" $delivery)))
                (export "event" (type (eq $ev)))
                (type $re (record (field "reason" string) (field "delay-ms" (option u64))))
                (export "retry" (type $retry (eq $re)))
                (type $rj (record (field "reason" string)))
                (export "rejection" (type $rejection (eq $rj)))
                (type $fa (variant (case "retry" $retry) (case "reject" $rejection)))
                (export "failure" (type (eq $fa)))))
            (alias export $events "event" (type $event))
            (alias export $events "failure" (type $failure))
            {parts}
            (type $handle (func (param "event" $event) (result (result (error $failure)))))
            (func $handle (type $handle) (canon lift (core func $main)
                (memory $memory) (realloc $realloc)))
            (instance $handler (export "handle" (func $handle)))
            (export "tidemill:handler/handler@0.2.0" (instance $handler)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Gives out one page of memory over and over, which is enough for an event of a test.
const REALLOC: &str = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))"#;

/// Runs this for each event, and then answers ok.
fn handling(code: &str) -> String {
    format!(r#"{REALLOC} (func (export "handle") (param i32) (result i32) {code} (i32.const 0))"#)
}

/// Grows a table by a thousand entries until it can't, and then traps as a compiler's code does.
pub(crate) fn table_bomb() -> Vec<u8> {
    let code = "(loop $again (br_if $again (i32.ge_s (table.grow $t (ref.null func) (i32.const 1000)) (i32.const 0)))) \
                unreachable";
    component("", &format!("(table $t 0 funcref) {}", handling(code)), "")
}

/// Has a second module, whose memory grows to all that it gets.
pub(crate) fn second_memory() -> Vec<u8> {
    let outside = r#"
        (core module $second
            (memory 1)
            (func (export "grow")
                (loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
                (memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))
                unreachable))
        (core instance $second (instantiate $second))"#;
    let inside = format!(r#"(import "second" "grow" (func $grow)) {}"#, handling("(call $grow)"));
    component(outside, &inside, r#"(with "second" (instance $second))"#)
}

/// Asks for all memory that there is in one go.
pub(crate) fn memory_at_once() -> Vec<u8> {
    let code = "(if (i32.lt_s (memory.grow (i32.const 60000)) (i32.const 0)) (then unreachable))";
    component("", &handling(code), "")
}

/// Makes resources of its own, each a handle that the host keeps.
pub(crate) fn resources() -> Vec<u8> {
    let outside = "(type $r (resource (rep i32))) (core func $new (canon resource.new $r))";
    let inside = format!(
        r#"(import "host" "new" (func $new (param i32) (result i32))) {}"#,
        handling("(loop $again (drop (call $new (i32.const 0))) (br $again))")
    );
    component(outside, &inside, r#"(with "host" (instance (export "new" (func $new))))"#)
}

/// Makes timers, which are resources of the host's.
pub(crate) fn timers() -> Vec<u8> {
    let outside = r#"
        (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $p))
            (export "pollable" (type $pollable (eq $p)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
        (core func $new (canon lower (func $clock "subscribe-duration")))"#;
    let inside = format!(
        r#"(import "host" "new" (func $new (param i64) (result i32))) {}"#,
        handling("(loop $again (drop (call $new (i64.const 1000000000))) (br $again))")
    );
    component(outside, &inside, r#"(with "host" (instance (export "new" (func $new))))"#)
}

/// Makes requests that it never sends, each with 1 MiB of a method, and traps where it may not.
pub(crate) fn requests() -> Vec<u8> {
    let outside = r#"
        (import "wasi:http/types@0.2.0" (instance $types
            (export "fields" (type $fields (sub resource)))
            (export "outgoing-request" (type $request (sub resource)))
            (type $names (variant (case "get") (case "head") (case "post") (case "put") (case "delete") (case "connect")
                (case "options") (case "trace") (case "patch") (case "other" string)))
            (export "method" (type $method (eq $names)))
            (export "[constructor]fields" (func (result (own $fields))))
            (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $request))))
            (export "[method]outgoing-request.set-method"
                (func (param "self" (borrow $request)) (param "method" $method) (result (result))))))
        (core module $second
            (memory (export "memory") 16)
            (func $fill (memory.fill (i32.const 0) (i32.const 65) (i32.const 1048576)))
            (start $fill))
        (core instance $second (instantiate $second))
        (core func $fields (canon lower (func $types "[constructor]fields")))
        (core func $request (canon lower (func $types "[constructor]outgoing-request")))
        (core func $set (canon lower (func $types "[method]outgoing-request.set-method")
            (memory (core memory $second "memory"))))"#;
    let code = "(local $request i32) \
                (loop $again \
                    (local.set $request (call $request (call $fields))) \
                    (if (call $set (local.get $request) (i32.const 9) (i32.const 0) (i32.const 1048576)) \
                        (then unreachable)) \
                    (br $again))";
    let inside = format!(
        r#"(import "host" "fields" (func $fields (result i32)))
           (import "host" "request" (func $request (param i32) (result i32)))
           (import "host" "set" (func $set (param i32 i32 i32 i32) (result i32)))
           {}"#,
        handling(code)
    );
    let with = r#"(with "host" (instance
        (export "fields" (func $fields)) (export "request" (func $request)) (export "set" (func $set))))"#;
    component(outside, &inside, with)
}

/// Asks for so many random bytes, and if it gets them, again and again.
pub(crate) fn random(bytes: u64) -> Vec<u8> {
    let outside = r#"
        (import "wasi:random/random@0.2.0" (instance $random
            (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
        (core module $second
            (memory (export "memory") 3)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
        (core instance $second (instantiate $second))
        (core func $get (canon lower (func $random "get-random-bytes")
            (memory (core memory $second "memory")) (realloc (core func $second "realloc"))))"#;
    let inside = format!(
        r#"(import "host" "get" (func $get (param i64 i32))) {}"#,
        handling(&format!("(loop $again (call $get (i64.const {bytes}) (i32.const 0)) (br $again))"))
    );
    component(outside, &inside, r#"(with "host" (instance (export "get" (func $get))))"#)
}

/// Answers with a reason as long as its whole memory.
pub(crate) fn huge_answer() -> Vec<u8> {
    let code = "(drop (memory.grow (i32.const 320))) \
                (i32.store8 (i32.const 0) (i32.const 1)) \
                (i32.store (i32.const 20) (i32.const 20971520))";
    component("", &handling(code), "")
}

/// Answers with this text over and over, up to so many bytes, as the reason of a rejection.
pub(crate) fn long_reason(text: &str, bytes: u32) -> Vec<u8> {
    let (length, pages) = (text.len(), bytes.div_ceil(65_536) + 1);
    let code = format!(
        r#"(local $at i32) (drop (memory.grow (i32.const {pages}))) (local.set $at (i32.const 131072))
           (loop $again
               (memory.copy (local.get $at) (i32.const 1024) (i32.const {length}))
               (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const {length})))
                   (i32.const {end}))))
           (i32.store8 (i32.const 0) (i32.const 1)) (i32.store8 (i32.const 8) (i32.const 1))
           (i32.store (i32.const 16) (i32.const 131072)) (i32.store (i32.const 20) (i32.const {bytes}))"#,
        end = 131_072 + bytes
    );
    component("", &format!(r#"(data (memory $first) (i32.const 1024) "{text}") {}"#, handling(&code)), "")
}

/// Answers with a reason at an address that it doesn't have.
pub(crate) fn wild_answer() -> Vec<u8> {
    let code = "(i32.store8 (i32.const 0) (i32.const 1)) \
                (i32.store (i32.const 16) (i32.const -16)) (i32.store (i32.const 20) (i32.const 1000))";
    component("", &handling(code), "")
}

/// Traps where the host asks it for room for the event.
pub(crate) fn realloc_trap() -> Vec<u8> {
    let inside = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                    (func (export "handle") (param i32) (result i32) (i32.const 0))"#;
    component("", inside, "")
}

/// Gives the host room that isn't there.
pub(crate) fn wild_realloc() -> Vec<u8> {
    let inside = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const -8))
                    (func (export "handle") (param i32) (result i32) (i32.const 0))"#;
    component("", inside, "")
}

/// Computes forever where the host asks it for room.
pub(crate) fn endless_realloc() -> Vec<u8> {
    let inside = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop (br 0)) (i32.const 65536))
                    (func (export "handle") (param i32) (result i32) (i32.const 0))"#;
    component("", inside, "")
}

/// Calls itself until the stack is full.
pub(crate) fn recursion() -> Vec<u8> {
    let inside = format!("(func $f (call $f) (call $f)) {}", handling("(call $f)"));
    component("", &inside, "")
}

/// Computes a while before it is there at all, for each event anew: it may be loaded.
pub(crate) fn start_bomb() -> Vec<u8> {
    let inside = format!(
        "(func $f (local $n i32) (loop $again (br_if $again \
            (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 400000000))))) \
         (start $f) {}",
        handling("")
    );
    component("", &inside, "")
}

/// Would compute forever before it is there: no event comes to that.
pub(crate) fn endless_start() -> Vec<u8> {
    component("", &format!("(func $f (loop (br 0))) (start $f) {}", handling("")), "")
}

/// Does nothing, and that well.
pub(crate) fn tame() -> Vec<u8> {
    component("", &handling(""), "")
}

/// Traps where a memory that should be fresh holds anything, or a table anything but nulls: what was there before would
/// be another event's. It looks at 6 MiB.
pub(crate) fn witness() -> Vec<u8> {
    let code = "(if (i32.lt_s (memory.grow (i32.const 94)) (i32.const 0)) (then unreachable)) \
                (local.set $at (i32.const 131072)) \
                (loop $again \
                    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable)) \
                    (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 6291456)))) \
                (drop (table.grow $t (ref.null func) (i32.const 5000))) \
                (local.set $at (i32.const 0)) \
                (loop $again \
                    (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then unreachable)) \
                    (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 5000)))) \
                (memory.fill (i32.const 131072) (i32.const 255) (i32.const 6160384))";
    let inside = format!("(table $t 0 funcref) {}", handling(&format!("(local $at i32) {code}")));
    component("", &inside, "")
}

/// Takes all that a slot may keep: two memories of 2 MiB, eight tables of 64 KiB, and most of the stack. Logs `full`, and
/// computes until it is ended.
pub(crate) fn hoarder() -> Vec<u8> {
    let outside = format!(
        r#"
        (import "wasi:logging/logging@0.1.0-draft" (instance $logging
            (type $l (enum "trace" "debug" "info" "warn" "error" "critical"))
            (export "level" (type $level (eq $l)))
            (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
        (core module $table
            (table $t 8192 funcref) (elem declare func $fill)
            (func $fill (table.fill $t (i32.const 0) (ref.func $fill) (i32.const 8192)))
            (start $fill))
        {}
        (core module $second (memory (export "memory") 32) (data (i32.const 0) "full"))
        (core instance $second (instantiate $second))
        (core func $log (canon lower (func $logging "log") (memory (core memory $second "memory"))))"#,
        "(core instance (instantiate $table))".repeat(8)
    );
    let inside = format!(
        r#"(import "second" "memory" (memory $second 32))
           (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
           (func $deep (param $n i32)
               (if (local.get $n)
                   (then (call $deep (i32.sub (local.get $n) (i32.const 1))))
                   (else (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4))
                         (loop (br 0)))))
           {}"#,
        handling(
            "(drop (memory.grow $first (i32.const 30))) \
             (memory.fill $first (i32.const 0) (i32.const 255) (i32.const 2097152)) \
             (memory.fill $second (i32.const 4) (i32.const 255) (i32.const 2097148)) \
             (call $deep (i32.const 5000))"
        )
    );
    let with = r#"(with "second" (instance $second)) (with "host" (instance (export "log" (func $log))))"#;
    component(&outside, &inside, with)
}

//! HTTP that tries to get past the judgement: other paths and methods, other protocols, heads without measure.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use crate::row::Answer::{self, Closed, Http as Status, Refused};
use crate::row::Mode::{NoAuth, Oidc};
use crate::row::Row;
use crate::scene::Scene;
use crate::wire::{Http, Sent};

const WRONG_PATH: Answer = Refused(404, "wrong-path");
const WRONG_METHOD: Answer = Refused(405, "wrong-method");
const NOT_SIGNED: Answer = Refused(401, "not-signed");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = paths(scene);
    rows.extend(methods(scene));
    rows.extend(protocols(scene));
    rows.extend(heads(scene));
    rows.extend(http2(scene));
    rows
}

/// A good delivery under another request line.
fn row(scene: &Scene, what: &str, line: &str, answer: Answer) -> Row {
    Row::new(what, NoAuth, Http::new(line, scene.changed(|_| {}).encode()), answer)
}

/// A delivery without a signature.
fn unsigned(scene: &Scene) -> Http {
    Http::post(scene.changed(|message| message.attributes.retain(|name, _| !name.starts_with("signature"))).encode())
}

fn paths(scene: &Scene) -> Vec<Row> {
    let row = |what, path: &str| row(scene, what, &format!("POST {path} HTTP/1.1"), WRONG_PATH);
    vec![
        row("the path `//events`", "//events"),
        row("the path `/events/`", "/events/"),
        row("the path `/./events`", "/./events"),
        row("the path `/x/../events`", "/x/../events"),
        row("the path `/%65vents`", "/%65vents"),
        row("the path `/events%00`", "/events%00"),
        row("the path `/events;x`", "/events;x"),
        row("the path `/EVENTS`", "/EVENTS"),
        row("the path `/livez/../events`", "/livez/../events"),
        row("another path in a URI with the host's name", "http://events.example.com/admin"),
        Row::new(
            "a URI with another host's name, not signed",
            NoAuth,
            unsigned(scene).line("POST http://other.example.com/events HTTP/1.1"),
            NOT_SIGNED,
        ),
        Row::new(
            "headers that name another path",
            NoAuth,
            Http::new("POST /admin HTTP/1.1", scene.changed(|_| {}).encode())
                .headers([("X-Original-URL", "/events"), ("X-Rewrite-URL", "/events")]),
            WRONG_PATH,
        ),
    ]
}

fn methods(scene: &Scene) -> Vec<Row> {
    let over = Http::new("GET /events HTTP/1.1", scene.changed(|_| {}).encode()).headers([
        ("X-HTTP-Method-Override", "POST"),
        ("X-HTTP-Method", "POST"),
        ("X-Method-Override", "POST"),
    ]);
    let row = |what, line: &str, answer| row(scene, what, line, answer);
    vec![
        row("`GET` with a delivery as its body", "GET /events HTTP/1.1", WRONG_METHOD),
        Row::new("`GET` with headers that override the method", NoAuth, over, WRONG_METHOD),
        row("`PUT`", "PUT /events HTTP/1.1", WRONG_METHOD),
        row("`post`", "post /events HTTP/1.1", WRONG_METHOD),
        row("`TRACE`", "TRACE /events HTTP/1.1", WRONG_METHOD),
        row("a method of the attacker's own", "DELIVER /events HTTP/1.1", WRONG_METHOD),
        row("`OPTIONS *`", "OPTIONS * HTTP/1.1", WRONG_PATH),
        row("`CONNECT` to another host", "CONNECT other.example.com:443 HTTP/1.1", WRONG_PATH),
        row("`GET /livez` with a delivery as its body", "GET /livez HTTP/1.1", Status(200)),
        row("`POST /livez`", "POST /livez HTTP/1.1", WRONG_METHOD),
    ]
}

fn protocols(scene: &Scene) -> Vec<Row> {
    let row = |what, line: &str, answer| row(scene, what, line, answer);
    let raw = |what, bytes: &[u8], answer| Row::new(what, NoAuth, bytes.to_vec(), answer);
    let upgrade = unsigned(scene).headers([
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ]);
    let websocket = unsigned(scene).headers([("Connection", "Upgrade"), ("Upgrade", "websocket")]);
    vec![
        raw("HTTP/0.9", b"POST /events\r\n\r\n", Status(400)),
        row("HTTP/3.0 in a request line", "POST /events HTTP/3.0", Status(400)),
        row("HTTP/2.0 in a request line", "POST /events HTTP/2.0", Status(400)),
        row("two spaces in the request line", "POST  /events HTTP/1.1", Status(400)),
        row("a tab in the request line", "POST\t/events HTTP/1.1", Status(400)),
        raw("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", Status(400)),
        raw(
            "the preface of HTTP/2, and then garbage",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage, and much of it",
            Closed,
        ),
        Row::new("an upgrade to HTTP/2, not signed", NoAuth, upgrade, NOT_SIGNED),
        Row::new("an upgrade to a websocket, not signed", NoAuth, websocket, NOT_SIGNED),
        Row::new(
            "headers that name another sender, without a token",
            Oidc,
            Http::post(scene.changed(|_| {}).encode()).headers([
                ("X-Forwarded-For", "127.0.0.1"),
                ("X-Goog-Authenticated-User-Email", "push@project.iam.gserviceaccount.com"),
                ("From", "push@project.iam.gserviceaccount.com"),
            ]),
            Refused(401, "no-token"),
        ),
    ]
}

fn heads(scene: &Scene) -> Vec<Row> {
    let good = || Http::post(scene.changed(|_| {}).encode());
    let row = |what, http: Http, answer| Row::new(what, NoAuth, http, answer);
    let many = (0..161).fold(good(), |http, n| http.header(format!("x-{n}"), ""));
    let long = (0..30).fold(good(), |http, n| http.header(format!("x-{n}"), vec![b'x'; 10 << 10]));
    vec![
        row("more than 160 headers", many, Status(431)),
        row("300 KiB of headers", long, Status(431)),
        row(
            "a URI of 70,000 bytes",
            good().line(&format!("POST /events?{} HTTP/1.1", "x".repeat(70_000))),
            Status(414),
        ),
        row("a NUL in a header", good().header("x", b"a\0b"), Status(400)),
        row("a lone carriage return in a header", good().header("x", b"a\rb"), Status(400)),
        row("a header that goes on in the next line", good().header("x", b"a\r\n b"), Status(400)),
        row("a header without a name", good().header("", b"a"), Status(400)),
        row("a header's name beyond ASCII", good().header("ä", b"a"), Status(400)),
        row("a line's end in a header's name", good().header("x\r\ny", b"a"), Status(400)),
    ]
}

fn http2(scene: &Scene) -> Vec<Row> {
    let request = |headers: &[(String, String)]| {
        let body = Full::new(Bytes::from(scene.changed(|_| {}).encode()));
        let request = Request::post("http://host/events");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        Sent::Http2(Box::new(request.body(body).unwrap()))
    };
    let long: Vec<_> = (0..30).map(|n| (format!("x-{n}"), "x".repeat(10 << 10))).collect();
    let row = |what, host, headers: &[(String, String)], answer| Row::new(what, host, request(headers), answer);
    let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    vec![
        row("over HTTP/2: 300 KiB of headers", NoAuth, &long, Status(431)),
        row("over HTTP/2: a length that is not the body's", NoAuth, &header("content-length", "3"), Closed),
        row("over HTTP/2: no token", Oidc, &[], Refused(401, "no-token")),
        row(
            "over HTTP/2: a token that is none",
            Oidc,
            &header("authorization", "Bearer x"),
            Refused(401, "malformed-token"),
        ),
        row(
            "over HTTP/2: two forms at once",
            NoAuth,
            &[header("ce-id", "1"), header("x-goog-pubsub-message-id", "1")].concat(),
            Refused(400, "malformed-envelope"),
        ),
    ]
}

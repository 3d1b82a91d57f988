//! Requests whose length two readers could measure differently, so that another one hides behind or within. What hides
//! is a good delivery. Each is answered once, and then the connection ends.

use crate::row::Answer::{self, Http as Status, Refused};
use crate::row::Mode::{Iam, NoAuth, Oidc};
use crate::row::{Mode, Row};
use crate::scene::Scene;
use crate::wire::Http;

const MALFORMED: Answer = Refused(400, "malformed-envelope");
const CUT: Answer = Refused(400, "body-cut");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = two_lengths(scene);
    rows.extend(bad_lengths(scene));
    rows.extend(bad_chunks(scene));
    rows.extend(within_bodies(scene));
    rows
}

/// A good delivery, to hide.
fn hidden(scene: &Scene, host: Mode) -> Vec<u8> {
    scene.good(host).bytes
}

/// A request with headers of its own about its length, an empty body in chunks, and a good delivery behind it.
fn framed(scene: &Scene, what: &str, host: Mode, answer: Answer, headers: &[(&str, &str)]) -> Row {
    let body = [b"0\r\n\r\n".to_vec(), hidden(scene, host)].concat();
    let http = scene.request(host, body).unframed().headers(headers.iter().copied());
    Row::new(what, host, http, answer)
}

fn two_lengths(scene: &Scene) -> Vec<Row> {
    let length = (5 + hidden(scene, NoAuth).len()).to_string();
    let long = ("Content-Length", length.as_str());
    let chunked = ("Transfer-Encoding", "chunked");
    let row = |what, answer, headers: &[(&str, &str)]| framed(scene, what, NoAuth, answer, headers);
    vec![
        // Read by the chunks, as RFC 9112 has it in section 6.3, and nothing is read behind them.
        row("`Content-Length`, then `Transfer-Encoding`", MALFORMED, &[long, chunked]),
        row("`Transfer-Encoding`, then `Content-Length`", MALFORMED, &[chunked, long]),
        row("a short `Content-Length` and `Transfer-Encoding`", MALFORMED, &[("Content-Length", "0"), chunked]),
        framed(
            scene,
            "both lengths, by a sender that the platform let in",
            Iam,
            MALFORMED_AND_STORED,
            &[long, chunked],
        ),
        row("two different `Content-Length`", Status(400), &[("Content-Length", "0"), long]),
        row("two `Content-Length` in one header", Status(400), &[("Content-Length", &format!("0, {length}"))]),
        row("`Transfer-Encoding` chunked, then identity", Status(400), &[chunked, ("Transfer-Encoding", "identity")]),
        row(
            "`Transfer-Encoding` chunked, identity in one header",
            Status(400),
            &[("Transfer-Encoding", "chunked, identity")],
        ),
        row("`Transfer-Encoding` of no kind that there is", Status(400), &[("Transfer-Encoding", "xchunked")]),
        row("a space before the colon of `Transfer-Encoding`", Status(400), &[("Transfer-Encoding ", "chunked")]),
        row("`Transfer-Encoding` in a line that goes on", Status(400), &[("Transfer-Encoding", "\r\n chunked"), long]),
        row("`Transfer-Encoding` behind a bare line feed", MALFORMED, &[long, ("x", "a\nTransfer-Encoding: chunked")]),
        row(
            "`Transfer-Encoding` behind a bare carriage return",
            Status(400),
            &[long, ("x", "a\rTransfer-Encoding: chunked")],
        ),
        Row::new(
            "`Transfer-Encoding` in HTTP/1.0",
            NoAuth,
            Http::new("POST /events HTTP/1.0", [b"0\r\n\r\n".to_vec(), hidden(scene, NoAuth)].concat())
                .unframed()
                .headers([chunked]),
            Status(400),
        ),
    ]
}

const MALFORMED_AND_STORED: Answer = Answer::Stored("malformed-envelope");

fn bad_lengths(scene: &Scene) -> Vec<Row> {
    let row = |what, length: &str, answer| framed(scene, what, NoAuth, answer, &[("Content-Length", length)]);
    vec![
        row("`Content-Length: +5`", "+5", Status(400)),
        row("`Content-Length: -1`", "-1", Status(400)),
        row("`Content-Length: 0x5`", "0x5", Status(400)),
        row("`Content-Length: 5.0`", "5.0", Status(400)),
        row("`Content-Length` of no digits", "", Status(400)),
        row("`Content-Length` with a space in it", "1 0", Status(400)),
        row("`Content-Length` beyond 64 bits", "99999999999999999999", Status(400)),
        row("`Content-Length` of 64 bits", "18446744073709551615", Status(431)),
        row("`Content-Length` of 63 bits", "9223372036854775807", Refused(413, "body-too-long")),
    ]
}

fn bad_chunks(scene: &Scene) -> Vec<Row> {
    let good = scene.changed(|_| {}).encode();
    let size = format!("{:x}", good.len());
    let row = |what, before: &str, after: &str| {
        let body = [before.as_bytes(), &good, after.as_bytes(), &hidden(scene, NoAuth)].concat();
        let http = Http::post(body).unframed().header("Transfer-Encoding", "chunked");
        Row::new(what, NoAuth, http, CUT)
    };
    let end = "\r\n0\r\n\r\n";
    vec![
        row("a chunk size with a sign", &format!("+{size}\r\n"), end),
        row("a chunk size with `0x`", &format!("0x{size}\r\n"), end),
        row("a chunk size of no digits", "\r\n", end),
        row("a chunk size beyond 64 bits", &format!("1{size:0>16}\r\n"), end),
        // As good as endless, and so it ends by its time.
        Row { answer: Refused(408, "body-too-slow"), ..row("a chunk size of 64 bits", "ffffffffffffffff\r\n", end) },
        row("a chunk size that ends in a bare line feed", &format!("{size}\n"), end),
        row("a chunk extension with a bare line feed", &format!("{size};a\n\r\n"), end),
        row("a chunk extension of 20 KiB", &format!("{size};{}\r\n", "a".repeat(20 << 10)), end),
        row("a chunk that is longer than its size", &format!("{size}\r\n"), "more\r\n0\r\n\r\n"),
        row("a chunk that ends in a bare line feed", &format!("{size}\r\n"), "\n0\r\n\r\n"),
    ]
}

/// A request that is answered before its body is read, with a good delivery as its body, on a connection that is to be
/// kept open.
fn within_bodies(scene: &Scene) -> Vec<Row> {
    let row = |what, host, http: Http, answer| {
        let hidden = hidden(scene, host);
        let length = hidden.len().to_string();
        let http = http.unframed().header("Content-Length", length).body(hidden);
        Row::new(what, host, http, answer)
    };
    let of = |line: &str| Http::new(line, "");
    vec![
        row("a delivery within one without a token", Oidc, of("POST /events HTTP/1.1"), Refused(401, "no-token")),
        row(
            "a delivery within one without a checked token",
            Iam,
            of("POST /events HTTP/1.1"),
            Refused(401, "no-token"),
        ),
        row("a delivery within one to another path", NoAuth, of("POST /admin HTTP/1.1"), Refused(404, "wrong-path")),
        row("a delivery within a `GET /livez`", NoAuth, of("GET /livez HTTP/1.1"), Status(200)),
        row("a delivery within a `DELETE`", Oidc, of("DELETE /events HTTP/1.1"), Refused(405, "wrong-method")),
        row(
            "a delivery within an upgrade",
            NoAuth,
            of("POST /admin HTTP/1.1").headers([("Connection", "Upgrade"), ("Upgrade", "h2c")]),
            Refused(404, "wrong-path"),
        ),
    ]
}

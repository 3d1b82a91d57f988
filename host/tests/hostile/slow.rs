//! Senders that take their time. The host gives each a bounded time, and its connection back to others.

use crate::row::Answer::{Closed, Refused};
use crate::row::Mode::{NoAuth, Oidc};
use crate::row::Row;
use crate::scene::Scene;
use crate::wire::{Http, Sent};

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let row = |what, host, sent: Sent, answer| Row::new(what, host, sent, answer);
    let announced = |headers: &[(&str, &str)]| {
        Http::post(Vec::new()).unframed().header("Content-Length", "100000").headers(headers.iter().copied()).bytes()
    };
    let chunked = Http::post(b"ffff\r\n".to_vec()).unframed().header("Transfer-Encoding", "chunked").bytes();
    let token = scene.token();
    let too_slow = Refused(408, "body-too-slow");
    vec![
        row("a body that drips", NoAuth, Sent::Dripping(announced(&[]), b' '), too_slow),
        row(
            "a body that drips, by a vouched sender",
            Oidc,
            Sent::Dripping(announced(&[("Authorization", &token)]), b' '),
            too_slow,
        ),
        row("a body in chunks that drips", NoAuth, Sent::Dripping(chunked, b' '), too_slow),
        row("a body that drips, without a token", Oidc, Sent::Dripping(announced(&[]), b' '), Refused(401, "no-token")),
        row("a body that never comes", NoAuth, announced(&[]).into(), too_slow),
        row(
            "`Expect: 100-continue`, and nothing after it",
            NoAuth,
            announced(&[("Expect", "100-continue")]).into(),
            too_slow,
        ),
        row(
            "`Expect: 100-continue` without a token",
            Oidc,
            announced(&[("Expect", "100-continue")]).into(),
            Refused(401, "no-token"),
        ),
        row("a head that drips", NoAuth, Sent::Dripping(b"POST /events HTTP/1.1\r\nx: ".to_vec(), b'x'), Closed),
        row("a head that stops", NoAuth, b"POST /events HTTP/1.1\r\nHost: x\r\n".to_vec().into(), Closed),
        row("a connection on which nothing is sent", NoAuth, vec![].into(), Closed),
        row("half of the preface of HTTP/2", NoAuth, b"PRI * HTTP/2.0\r\n".to_vec().into(), Closed),
        row(
            "the preface of HTTP/2, and nothing after it",
            NoAuth,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec().into(),
            Closed,
        ),
    ]
}

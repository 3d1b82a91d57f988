//! Tokens: none at all, in the wrong place, of another form; the forged ones and their claims are beside.

use tidemill_events::Envelope;

use crate::row::Answer::{self, Refused};
use crate::row::Mode::{Iam, Oidc};
use crate::row::{Mode, Row};
use crate::scene::Scene;
use crate::wire::Http;
use crate::{token_claims, token_forged};

pub(crate) const MALFORMED: Answer = Refused(401, "malformed-token");
const NO_TOKEN: Answer = Refused(401, "no-token");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = misplaced(scene);
    rows.extend(of_another_form(scene));
    rows.extend(token_forged::rows(scene));
    rows.extend(token_claims::rows(scene));
    rows.extend(before_the_platform(scene));
    rows
}

/// A good event, without a token.
fn bare(scene: &Scene) -> Http {
    Http::post(scene.changed(|_| {}).encode())
}

/// A good event with this token.
pub(crate) fn with_token(scene: &Scene, what: &str, host: Mode, token: impl AsRef<[u8]>, answer: Answer) -> Row {
    let authorization = [b"Bearer ", token.as_ref()].concat();
    Row::new(what, host, bare(scene).header("Authorization", authorization), answer)
}

fn misplaced(scene: &Scene) -> Vec<Row> {
    let token = scene.token();
    let good = token.trim_start_matches("Bearer ");
    let row = |what, http: Http, answer| Row::new(what, Oidc, http, answer);
    let with = |name: &str, value: &str| bare(scene).header(name, value);
    let said = scene.changed(|message| drop(message.attributes.insert("authorization".into(), token.clone())));
    let body = chunked(&scene.changed(|_| {}), &format!("Authorization: {token}\r\n"));
    let trailer = Http::post(body).unframed().headers([
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "Authorization"),
    ]);
    let iam = |what, http| Row::new(what, Iam, http, NO_TOKEN);
    vec![
        row("no token", bare(scene), NO_TOKEN),
        iam("no token", bare(scene)),
        row("an empty `Authorization`", with("Authorization", ""), NO_TOKEN),
        row("`Bearer` and nothing more", with("Authorization", "Bearer "), NO_TOKEN),
        row("`Basic` credentials", with("Authorization", "Basic dXNlcjpwYXNz"), NO_TOKEN),
        row("the token without a scheme", with("Authorization", good), NO_TOKEN),
        row("a tab behind `Bearer`", with("Authorization", &format!("Bearer\t{good}")), NO_TOKEN),
        row(
            "two `Authorization` headers, both of them good",
            with("Authorization", &token).header("Authorization", &token),
            Refused(401, "several-tokens"),
        ),
        row(
            "a bad `Authorization` header before a good one",
            with("Authorization", "Bearer x.y.z").header("authorization", &token),
            Refused(401, "several-tokens"),
        ),
        row("the token in `Proxy-Authorization`", with("Proxy-Authorization", &token), NO_TOKEN),
        row("the token in `X-Serverless-Authorization`", with("X-Serverless-Authorization", &token), NO_TOKEN),
        row("the token in a cookie", with("Cookie", &format!("Authorization={good}")), NO_TOKEN),
        row(
            "the token in the query",
            bare(scene).line(&format!("POST /events?access_token={good} HTTP/1.1")),
            NO_TOKEN,
        ),
        row("the token in an attribute", Http::post(said.encode()), NO_TOKEN),
        row("the token in a trailer", trailer, NO_TOKEN),
    ]
}

/// A body in one chunk, with trailers.
fn chunked(envelope: &Envelope, trailers: &str) -> Vec<u8> {
    let body = envelope.encode();
    [format!("{:x}\r\n", body.len()).into_bytes(), body, format!("\r\n0\r\n{trailers}\r\n").into_bytes()].concat()
}

fn of_another_form(scene: &Scene) -> Vec<Row> {
    let token = scene.token();
    let good = token.trim_start_matches("Bearer ");
    let (head, rest) = good.split_once('.').unwrap();
    let row = |what, token: String| with_token(scene, what, Oidc, token, MALFORMED);
    vec![
        row("no JWT", "nonsense".into()),
        row("two parts", good.rsplit_once('.').unwrap().0.into()),
        row("four parts", format!("{good}.e30")),
        row("five parts, as an encrypted token has", format!("{good}.e30.e30")),
        row("dots alone", "..".into()),
        row("an empty part before", format!(".{good}")),
        row("two tokens with a comma between", format!("{good}, Bearer {good}")),
        row("a space and more behind the token", format!("{good} x")),
        row("a space within the token", format!("{head} .{rest}")),
        row("the token in quotes", format!("\"{good}\"")),
        row("padding behind the signature", format!("{good}=")),
        row("a token in percent encoding", good.replace('.', "%2E")),
        row("a token of more than 8 KiB", format!("{good}{}", "A".repeat(9 << 10))),
        with_token(scene, "bytes beyond ASCII", Oidc, [b"\xff\xfe".as_slice(), good.as_bytes()].concat(), MALFORMED),
        row("Greek letters that look like the token's own", good.replace('A', "\u{391}").replace('o', "\u{3bf}")),
    ]
}

/// Where the platform checks tokens, there are two headers for them.
fn before_the_platform(scene: &Scene) -> Vec<Row> {
    let (signed, good) = (scene.token(), scene.stripped_token());
    let with = |headers: &[(&str, &str)]| bare(scene).headers(headers.iter().copied());
    let (checked, other) = ("X-Serverless-Authorization", "Authorization");
    vec![
        Row::new(
            "a token with its signature, so the platform didn't check it",
            Iam,
            with(&[(other, &signed)]),
            Refused(401, "unchecked-signature"),
        ),
        Row::new(
            "a token whose signature is empty",
            Iam,
            with(&[(other, &good.replace("SIGNATURE_REMOVED_BY_GOOGLE", ""))]),
            Refused(401, "unchecked-signature"),
        ),
        Row::new(
            "a token of the attacker's own for the platform, and a forged one beside it",
            Iam,
            with(&[(checked, &token_claims::of_another_account(scene)), (other, &good)]),
            Refused(403, "wrong-email"),
        ),
        Row::new(
            "no token for the platform, and a forged one beside it",
            Iam,
            with(&[(checked, "Basic x"), (other, &good)]),
            NO_TOKEN,
        ),
        Row::new(
            "two tokens for the platform",
            Iam,
            with(&[(checked, &good), (checked, &good)]),
            Refused(401, "several-tokens"),
        ),
    ]
}

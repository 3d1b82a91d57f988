//! What somebody hostile may send: a table of deliveries, each tried over a socket against a running host, none of which
//! reaches a handler. After each one a good event is handled as if nothing had been.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod envelope;
mod forms;
mod http;
mod page;
mod replay;
mod row;
mod scene;
mod signature;
mod slow;
mod smuggling;
mod stand;
mod token;
mod token_claims;
mod token_forged;
mod wire;

use std::time::Duration;

use row::Row;
use scene::Scene;
use stand::Stand;

/// Deliveries of one kind.
struct Family {
    title: &'static str,
    /// What they try, in a line.
    story: &'static str,
    /// The name of the handler that none of them may reach.
    handler: &'static str,
    /// How long a head or a body may take to arrive.
    body_timeout: Duration,
    rows: fn(&Scene) -> Vec<Row>,
}

/// Longer than any body of the table takes on a slow machine.
const PATIENT: Duration = Duration::from_secs(60);
/// Over before long, for rows that wait until it is. How soon is nothing that a test asserts.
const IMPATIENT: Duration = Duration::from_secs(1);

const SIGNATURE: Family = Family {
    title: "Signature",
    story: "signatures taken off, downgraded, swapped, forged, of another form; events changed after signing, or signed and none",
    handler: "for-signatures",
    body_timeout: PATIENT,
    rows: signature::rows,
};
const REPLAY: Family = Family {
    title: "Replay",
    story: "what was handled before, as it was or with all changed that nobody signs",
    handler: "for-replays",
    body_timeout: PATIENT,
    rows: replay::rows,
};
const TOKEN: Family = Family {
    title: "Token",
    story: "no token, tokens in other places and of other forms, forged, confused or meant for others",
    handler: "for-tokens",
    body_timeout: PATIENT,
    rows: token::rows,
};
const ENVELOPE: Family = Family {
    title: "Envelope",
    story: "JSON that two readers understand differently, that is none, or that is too long or too deep",
    handler: "for-envelopes",
    body_timeout: PATIENT,
    rows: envelope::rows,
};
const FORMS: Family = Family {
    title: "Other forms",
    story: "the same for unwrapped deliveries and CloudEvents, and two forms at once",
    handler: "for-forms",
    body_timeout: PATIENT,
    rows: forms::rows,
};
const HTTP: Family = Family {
    title: "HTTP",
    story: "other paths, methods and protocols, and heads without measure",
    handler: "for-http",
    body_timeout: PATIENT,
    rows: http::rows,
};
const SMUGGLING: Family = Family {
    title: "Smuggling",
    story: "a good delivery that hides behind or within another request",
    handler: "for-smuggling",
    body_timeout: IMPATIENT,
    rows: smuggling::rows,
};
const SLOW: Family = Family {
    title: "Slowness",
    story: "heads and bodies that come slowly, in part, or never",
    handler: "for-slowness",
    body_timeout: IMPATIENT,
    rows: slow::rows,
};

/// All of them, in the pages' order.
const FAMILIES: [&Family; 8] = [&SIGNATURE, &REPLAY, &TOKEN, &ENVELOPE, &FORMS, &HTTP, &SMUGGLING, &SLOW];

/// Tries each row of a family.
async fn hold(family: &Family) {
    let scene = Scene::set().await;
    let mut stand = Stand::new(family);
    for row in (family.rows)(&scene) {
        stand.try_row(&scene, row).await;
    }
    stand.end(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_signature_is_forged_stripped_or_carried_over() {
    hold(&SIGNATURE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_effect_is_not_played_again() {
    hold(&REPLAY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_lets_a_stranger_in() {
    hold(&TOKEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_envelope_is_read_in_two_ways() {
    hold(&ENVELOPE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_another_ones_way_in() {
    hold(&FORMS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_http_leads_around_the_judgement() {
    hold(&HTTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_in_another() {
    hold(&SMUGGLING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slowness_ends() {
    let scene = Scene::set().await;
    let mut stand = Stand::new(&SLOW);
    stand.try_together(&scene, (SLOW.rows)(&scene)).await;
    stand.end(&scene).await;
}

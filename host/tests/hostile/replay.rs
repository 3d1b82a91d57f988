//! Deliveries that were good, and come again.

use std::time::Duration;

use tidemill_events::{Envelope, format_rfc3339};

use crate::common::fresh_id;
use crate::row::Answer::{Duplicate, Refused};
use crate::row::Mode::{Iam, NoAuth, Oidc, V1};
use crate::row::{Mode, Row};
use crate::scene::{Scene, resign};
use crate::wire::Http;

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows: Vec<_> =
        [Oidc, Iam, NoAuth].map(|host| again(scene, "the same delivery again", host, |_| {})).into_iter().collect();
    let row = |what, change: fn(&mut Envelope)| again(scene, what, NoAuth, change);
    rows.extend([
        row("under a new message id", |envelope| envelope.delivery.message_id = fresh_id()),
        row("without a message id", |envelope| envelope.delivery.message_id.clear()),
        row("under another subscription", |envelope| envelope.delivery.subscription = "projects/q/x".into()),
        row("with another publish time", |envelope| envelope.delivery.publish_time = None),
        row("as its thousandth attempt", |envelope| envelope.delivery.attempt = Some(1000)),
        row("with a further attribute", |envelope| {
            envelope.message.attributes.insert("tenant".into(), "another".into());
        }),
        row("with `signature` taken off", |envelope| drop(envelope.message.attributes.remove("signature"))),
        row("with a further entry in its signature", |envelope| {
            let signature = envelope.message.attributes.get_mut("signature-v2").unwrap();
            *signature = format!("v2,k9,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= {signature}");
        }),
        row("signed anew by who holds a key, with other data under the same event id", |envelope| {
            envelope.message.data.push(b' ');
            resign(&mut envelope.message);
        }),
        in_another_form(scene),
        too_late(scene),
    ]);
    rows.push(again(scene, "the same delivery again, signed by version 1 alone", V1, |_| {}));
    rows
}

/// A delivery that was handled, and comes again, changed.
fn again(scene: &Scene, what: &str, host: Mode, change: impl FnOnce(&mut Envelope)) -> Row {
    let mut envelope = scene.changed(|_| {});
    if host == V1 {
        envelope.message.attributes.remove("signature-v2");
    }
    let good = scene.good_of(host, &envelope);
    change(&mut envelope);
    Row::new(what, host, scene.delivery(host, &envelope), Duplicate).after(good)
}

fn in_another_form(scene: &Scene) -> Row {
    let envelope = scene.changed(|_| {});
    let good = scene.good_of(NoAuth, &envelope);
    let attributes = envelope.message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let unwrapped = Http::post(envelope.message.data.clone())
        .headers(attributes)
        .header("x-goog-pubsub-subscription-name", &envelope.delivery.subscription)
        .header("x-goog-pubsub-message-id", fresh_id());
    Row::new("unwrapped, where it came wrapped", NoAuth, unwrapped, Duplicate).after(good)
}

/// What was signed long ago is refused by its time, whether its id is remembered or not.
fn too_late(scene: &Scene) -> Row {
    let old = format_rfc3339(scene.now - Duration::from_secs(193 * 60 * 60));
    let envelope = scene.resigned(|message| drop(message.attributes.insert("event-time".into(), old)));
    let again = scene.delivery(NoAuth, &envelope);
    Row::new("after its id was forgotten, which is past `max-event-age`", NoAuth, again, Refused(403, "too-old"))
}

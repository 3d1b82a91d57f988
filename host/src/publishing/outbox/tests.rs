use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use tidemill_events::{Delivery, Event, Received, attribute};
use tidemill_publisher::Unpublishable;

use super::*;
use crate::publishing::MAX_ATTRIBUTES;
use crate::telemetry::TraceContext;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn received(id: &str, attributes: &[(&str, &str)]) -> Received {
    let event = Event {
        id: id.into(),
        event_type: "user.registered".into(),
        time: UNIX_EPOCH,
        content_type: None,
        ordering_key: None,
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        data: vec![],
    };
    Received::unverified(event, Delivery { message_id: id.into(), ..Delivery::default() })
}

fn outbox_for(received: &Received, handler: &str) -> Outbox {
    let granted = ["mail.sent", "mail.lost"].map(str::to_owned).to_vec();
    Outbox::new(granted, Some(Cause::of(received, handler, None, 1000)))
}

fn outbox() -> Outbox {
    outbox_for(&received("e1", &[]), "mail")
}

fn new(data: &str) -> NewEvent {
    NewEvent { event_type: "mail.sent".into(), data: data.into(), ..NewEvent::default() }
}

fn attributes(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_same_run_again_publishes_under_the_same_ids() {
    let run = || {
        let mut outbox = outbox();
        ["a", "a", "b", "a"].map(|data| outbox.put(new(data)).unwrap())
    };
    let ids = run();
    assert_eq!(ids, run());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "each is an event of its own: {ids:?}");
    // Neither the trace nor the depth, which nobody signs, makes another event of it.
    let trace = TraceContext::from_traceparent(TRACE);
    let cause = Cause::of(
        &received("e1", &[(attribute::DEPTH, "3"), (attribute::DESCENDANTS, "7")]),
        "mail",
        trace.as_ref(),
        1000,
    );
    assert_eq!(Outbox::new(vec!["mail.sent".into()], Some(cause)).put(new("a")).as_ref(), Ok(&ids[0]));
    for id in ids {
        let id: uuid::Uuid = id.parse().unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (8, uuid::Variant::RFC4122));
    }
}

/// Else an event that says something new would be dropped for one that was sent before.
#[test]
fn whatever_is_different_has_another_id() {
    let put = |outbox: &mut Outbox, new: NewEvent| outbox.put(new).unwrap();
    let plain = || new("a");
    let mut ids = vec![
        put(&mut outbox(), plain()),
        put(&mut outbox_for(&received("e2", &[]), "mail"), plain()),
        put(&mut outbox_for(&received("e1", &[]), "other"), plain()),
    ];
    for other in [
        NewEvent { event_type: "mail.lost".into(), ..plain() },
        NewEvent { data: b"b".to_vec(), ..plain() },
        NewEvent { content_type: Some("x".into()), ..plain() },
        NewEvent { ordering_key: Some("x".into()), ..plain() },
        NewEvent { attributes: attributes(&[("x", "")]), ..plain() },
        NewEvent { attributes: attributes(&[("", "x")]), data: vec![], ..plain() },
        NewEvent { attributes: attributes(&[("a", "b"), ("c", "d")]), ..plain() },
        NewEvent { attributes: attributes(&[("a", "b"), ("cd", "")]), ..plain() },
    ] {
        ids.extend(outbox().put(other).ok());
    }
    assert_eq!(ids.len(), 10, "an attribute has a name");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

/// A host of another version may run the handler again: what it publishes has to have the same ids.
#[test]
fn an_id_is_the_same_in_every_version() {
    // SHA-256 over `tidemill-published-event-v1:`, then, each with its length as 8 bytes in little-endian order before it,
    // message, "", "", e1, "", "" (the cause), mail (the handler), mail.sent, "", "", a (the event), then 8 bytes of zero.
    assert_eq!(outbox().put(new("a")).unwrap(), "951835f9-e385-8536-91b4-f6d40e3b6bfe");
}

#[test]
fn an_event_says_where_it_comes_from() {
    let one = |received: &Received, trace: Option<&TraceContext>| {
        let mut outbox = Outbox::new(vec!["mail.sent".into()], Some(Cause::of(received, "mail", trace, 1000)));
        outbox.put(new("a")).unwrap();
        outbox.into_publications().remove(0).at(UNIX_EPOCH).attributes
    };
    let delivery = TraceContext::from_traceparent(&TRACE.replace("-01", "-00"));
    let own =
        received("e1", &[(attribute::TRACEPARENT, TRACE), (attribute::DEPTH, "3"), (attribute::DESCENDANTS, "7")]);
    let marked = one(&own, delivery.as_ref());
    assert_eq!((&*marked[attribute::CAUSE], &*marked[attribute::DEPTH]), ("e1", "4"));
    assert_eq!(marked[attribute::DESCENDANTS], "6");
    assert_eq!(marked[attribute::TRACEPARENT], TRACE, "the event's own trace goes before that of its delivery");
    let plain = one(&received("e1", &[]), delivery.as_ref());
    assert_eq!((&*plain[attribute::DEPTH], &plain[attribute::TRACEPARENT][53..]), ("1", "00"));
    assert_eq!(plain[attribute::DESCENDANTS], "999");
    let nonsense = one(&received("e1", &[(attribute::TRACEPARENT, "nonsense")]), None);
    assert!(!nonsense.contains_key(attribute::TRACEPARENT), "{nonsense:?}");
}

#[test]
fn what_may_come_of_an_event_is_parted_among_what_it_publishes() {
    let left = |own: &[(&str, &str)], count: usize| {
        let cause = Cause::of(&received("e1", own), "mail", None, 10);
        let mut outbox = Outbox::new(vec!["mail.sent".into()], Some(cause));
        let put: Vec<_> = (0..count).map(|_| outbox.put(new("a"))).collect();
        assert!(put.iter().all(|put| put.is_ok() || *put == Err(Refused::TooManyDescendants)));
        let publications = outbox.into_publications().into_iter();
        publications.map(|one| one.event().attributes[attribute::DESCENDANTS].clone()).collect::<Vec<_>>()
    };
    assert_eq!(left(&[], 1), ["9"]);
    assert_eq!(left(&[], 4), ["1"; 4]);
    assert_eq!(left(&[], 11), ["0"; 10]);
    let within = |text: &'static str| [(attribute::DEPTH, "1"), (attribute::DESCENDANTS, text)];
    assert_eq!(left(&within("5"), 2), ["1"; 2]);
    assert_eq!(left(&within("0"), 1), [""; 0]);
    // Nobody gives himself more than this operator allows, and who has lost the mark has nothing.
    assert_eq!(left(&within("99"), 1), ["9"]);
    assert_eq!(left(&[(attribute::DEPTH, "1")], 1), [""; 0]);
}

#[test]
fn what_nobody_could_publish_is_refused_and_leaves_the_rest() {
    let mut outbox = outbox();
    let with = |given: &[(&str, &str)]| NewEvent { attributes: attributes(given), ..new("a") };
    outbox.put(new("a")).unwrap();
    for name in ["event-id", "Signature-V2", "tidemill-depth", "TIDEMILL-x", "googclient_traceparent", "Google"] {
        assert_eq!(outbox.put(with(&[(name, "x")])), Err(Refused::Reserved(name.into())));
    }
    assert_eq!(outbox.put(with(&[("a", "1"), ("a", "1")])), Err(Refused::Repeated("a".into())));
    let unlisted = NewEvent { event_type: "user.registered".into(), ..new("a") };
    assert_eq!(outbox.put(unlisted), Err(Refused::NotGranted("user.registered".into())));
    let long = NewEvent { ordering_key: Some("k".repeat(1025)), ..new("a") };
    assert_eq!(outbox.put(long), Err(Refused::Unpublishable(Unpublishable::OrderingKey(1025))));
    assert_eq!(Outbox::new(vec![], None).put(new("a")), Err(Refused::Loading));
    assert_eq!(outbox.into_publications().len(), 1);
}

/// What a handler may give leaves room for all that the host adds.
#[test]
fn a_handler_may_use_all_of_its_attributes() {
    let all: Vec<_> = (0..MAX_ATTRIBUTES).map(|number| (format!("a{number}"), "x".repeat(1024))).collect();
    let traced = received("e1", &[(attribute::TRACEPARENT, TRACE)]);
    let full = NewEvent {
        content_type: Some("t".repeat(1024)),
        ordering_key: Some("k".repeat(1024)),
        attributes: all.clone(),
        ..new("a")
    };
    outbox_for(&traced, "mail").put(full).unwrap();
    let more = NewEvent { attributes: [all, attributes(&[("more", "")])].concat(), ..new("a") };
    assert_eq!(outbox().put(more), Err(Refused::TooManyAttributes(90)));
}

#[test]
fn one_event_too_many_and_one_byte_too_many_are_refused() {
    let mut many = outbox();
    for _ in 0..MAX_EVENTS {
        many.put(new("a")).unwrap();
    }
    assert_eq!(many.put(new("a")), Err(Refused::TooManyEvents));

    let mut large = outbox();
    let half = NewEvent { data: vec![0; MAX_BYTES / 2 - 1000], ..new("") };
    large.put(half.clone()).unwrap();
    large.put(half).unwrap();
    assert!(matches!(large.put(NewEvent { data: vec![0; 2000], ..new("") }), Err(Refused::TooManyBytes(_))));
    large.put(new("a")).unwrap();
    let too_large = NewEvent { data: vec![0; MAX_BYTES], ..new("") };
    assert!(matches!(outbox().put(too_large), Err(Refused::Unpublishable(Unpublishable::TooLong(_)))));
}

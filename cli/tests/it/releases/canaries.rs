//! Artifacts that are tried on a share of a handler's events.

use serde_json::{Value, json};
use tidemill_host::store::{Action, Canary, Release, ReleaseNumber};
use tidemill_test_artifacts as artifacts;

use super::hosts::report;
use super::shop::Shop;
use crate::tidemill::{stderr, stdout};

#[test]
fn a_canary_stands_beside_what_serves_until_it_is_promoted() {
    let shop = Shop::new();
    let (one, _) = (shop.handler("one", "a", 1), shop.handler("two", "b", 1));
    shop.json(&["deploy", &shop.handlers()]);
    shop.handler("one", "a", 2);
    // Of a folder of several, those that are what serves already stay as they are.
    let tried = shop.json(&["deploy", &shop.handlers(), "--canary", "2.5%"]);
    let (before, after) = (&tried["changes"][0]["before"], &tried["changes"][0]["after"]);
    assert_eq!(tried["changes"].as_array().unwrap().len(), 1);
    assert_eq!((&after["artifact"], &after["canary"]["per_ten_thousand"]), (&before["artifact"], &json!(250)));
    assert_eq!(shop.live().handlers["two"].canary, None);
    let wider = shop.run(&["deploy", &one, "--canary", "50%"]);
    assert!(stdout(&wider).contains("on 2.5% → canary"), "{}", stdout(&wider));

    let promoted = shop.json(&["promote", "one"]);
    assert_eq!((&promoted["release"], &promoted["action"]), (&json!(4), &json!("promote")));
    assert_eq!(
        promoted["changes"][0]["after"],
        json!({ "artifact": after["canary"]["artifact"], "canary": Value::Null })
    );
    for (arguments, says) in [
        (&["promote"][..], "no handler has a canary in release 4"),
        (&["promote", "one"], "one: it has no canary"),
        (&["promote", "three"], "has no handler three"),
    ] {
        let nothing = shop.run(arguments);
        assert_eq!(nothing.status.code(), Some(1));
        assert!(stderr(&nothing).contains(says), "{}", stderr(&nothing));
    }
    // What was tried then does not come back.
    shop.json(&["rollback", "2"]);
    assert_eq!(shop.live().handlers, shop.release(1).handlers);
}

#[test]
fn a_canary_needs_something_of_the_same_event_types_beside_it() {
    let shop = Shop::new();
    let one = shop.handler("one", "a", 1);
    for (path, says) in [(&one, "doesn't serve yet"), (&shop.handler("two", "b", 1), "doesn't serve yet")] {
        let refused = shop.run(&["deploy", path, "--canary", "5%"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    }
    shop.json(&["deploy", &one]);
    shop.place("one", "events = [\"a\", \"c\"]\n", artifacts::EMPTY);
    let refused = shop.run(&["deploy", &one, "--canary", "5%"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("lists a, c, and what serves now lists a"), "{}", stderr(&refused));
    assert_eq!(shop.live().number, ReleaseNumber(1));
}

#[test]
fn what_a_host_has_dropped_is_not_promoted() {
    let shop = Shop::new();
    let one = shop.handler("one", "a", 1);
    shop.json(&["deploy", &one]);
    shop.handler("one", "a", 2);
    shop.json(&["deploy", &one, "--canary", "5%"]);
    let live = shop.live();
    let Some(Canary { artifact, .. }) = live.handlers["one"].canary else { panic!("no canary") };
    let mut host = report("host-a", &live);
    host.dropped.insert("one".into(), artifact);
    shop.wait(shop.store.put_report(&host)).unwrap();
    let refused = shop.run(&["promote"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("the host host-a has dropped the canary"), "{}", stderr(&refused));
    assert!(stdout(&shop.run(&["status"])).contains("has dropped the canary one"));

    // As a host writes it.
    let mut handlers = live.handlers.clone();
    handlers.get_mut("one").unwrap().canary = None;
    let action = Action::DropCanary { handler: "one".into() };
    let dropped = Release { action, handlers, by: "host-a".into(), ..live };
    shop.wait(shop.store.make_live(Some(&shop.look()), dropped)).unwrap();
    let listed = shop.run(&["releases"]);
    assert!(stdout(&listed).starts_with("3  [live]  drop canary of one  "), "{}", stdout(&listed));
    assert!(stdout(&listed).contains(", no more canary "), "{}", stdout(&listed));
}

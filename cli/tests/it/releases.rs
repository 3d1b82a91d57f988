//! Releases: deployed, tried, promoted, rolled back and shown, on a folder as the store.

mod canaries;
mod hosts;
mod puller;
mod registries;
mod rehearsals;
mod shop;
mod signed;

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};
use tidemill_host::store::ReleaseNumber;
use tidemill_test_artifacts as artifacts;

use self::shop::{Shop, shown};
use crate::tidemill::{run, stderr, stdout};

#[test]
fn what_is_deployed_serves_and_everything_else_stays() {
    let shop = Shop::new();
    let (one, two) = (shop.handler("one", "a", 1), shop.handler("two", "b", 1));
    let all = shop.handlers();
    let first = shop.json(&["deploy", &all, "--by", "ada", "--why", "the first"]);
    assert_eq!((&first["release"], &first["previous"], &first["action"]), (&json!(1), &Value::Null, &json!("deploy")));
    assert_eq!(first["changes"][1]["handler"], "two");
    assert_eq!(first["changes"][1]["before"], Value::Null);

    // The same again, as a folder of both and as a component's file.
    for path in [all.clone(), format!("{one}/handler.wasm")] {
        let again = shop.run(&["deploy", &path]);
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        assert!(stdout(&again).starts_with("nothing changes: release 1, which is live"), "{}", stdout(&again));
    }

    shop.handler("two", "b", 2);
    let before = shop.files();
    let dry = shop.json(&["deploy", &all, "--dry-run"]);
    assert_eq!((&dry["release"], &dry["previous"]), (&Value::Null, &json!(1)));
    assert_eq!(shop.files(), before, "asking wrote something");
    let second = shop.json(&["deploy", &two]);
    assert_eq!((&second["release"], &second["changes"]), (&json!(2), &dry["changes"]));
    let changes = second["changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["handler"]), (1, &json!("two")));
    assert_eq!(changes[0]["before"]["artifact"], first["changes"][1]["after"]["artifact"]);
    let live = shop.live();
    assert_eq!(live.handlers.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(json!(live.handlers["one"].artifact), first["changes"][0]["after"]["artifact"]);

    let removed = shop.json(&["remove", "one"]);
    assert_eq!((&removed["release"], &removed["action"]), (&json!(3), &json!({ "remove": { "handler": "one" } })));
    assert_eq!(shop.live().handlers.into_keys().collect::<Vec<_>>(), ["two"]);
    let again = shop.run(&["remove", "one"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("release 3, which is live, has no handler \"one\""), "{}", stderr(&again));
}

#[test]
fn what_no_host_could_serve_is_refused_before_anything_is_written() {
    let shop = Shop::new();
    shop.handler("good", "a", 1);
    shop.place("broken", "events = [\"b\"]\n", artifacts::WRONG_WORLD);
    let newer = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&newer, artifacts::built_for("0.3.0", artifacts::EMPTY).unwrap()).unwrap();
    shop.place("newer", "events = [\"d\"]\n", newer.path().to_str().unwrap());
    shop.place("greedy", "events = [\"c\"]\n[limits]\nmemory = \"2GiB\"\n", artifacts::EMPTY);
    let refused = shop.run(&["deploy", &shop.handlers()]);
    assert_eq!(refused.status.code(), Some(1));
    let newer = "newer: handler.wasm: it is built for version 0.3.0 of the interface tidemill:handler, and this host";
    for says in ["broken: handler.wasm: ", newer, "greedy: handler.toml, line 3, field `limits.memory`"] {
        assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    }
    assert_eq!(shop.files(), BTreeSet::new());
    // What only the operator can give a handler is no reason.
    let manifest = std::fs::read_to_string(artifacts::EMAIL_ON_REGISTER_MANIFEST).unwrap();
    let path = shop.place("email-on-register", &manifest, artifacts::EMAIL_ON_REGISTER);
    assert_eq!(shop.json(&["deploy", &path])["release"], 1);
}

#[test]
fn two_handlers_of_one_event_type_are_both_named() {
    let shop = Shop::new();
    let one = shop.handler("one", "a", 1);
    shop.json(&["deploy", &one]);
    let two = shop.place("two", "events = [\"b\", \"a\"]\n", artifacts::EMPTY);
    let refused = shop.run(&["deploy", &two]);
    assert_eq!(refused.status.code(), Some(1));
    let says = "the event type \"a\" is wanted by the handlers one and two";
    assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    assert_eq!(shop.live().number, ReleaseNumber(1));
    // One that gives it up in the same release does not stand in the way.
    shop.handler("one", "c", 2);
    assert_eq!(shop.json(&["deploy", &shop.handlers()])["release"], 2);
}

#[test]
fn rollback_goes_back_to_what_was_live_before_or_to_a_release_by_number() {
    let shop = Shop::new();
    for version in 1..=3 {
        let one = shop.handler("one", "a", version);
        shop.json(&["deploy", &one]);
    }
    let back = shop.json(&["rollback", "--why", "slow"]);
    assert_eq!((&back["release"], &back["action"]), (&json!(4), &json!({ "rollback": { "to": 2 } })));
    assert_eq!(shop.live().handlers, shop.release(2).handlers);
    assert_eq!(shop.json(&["rollback", "1"])["release"], 5);
    assert_eq!(shop.live().handlers, shop.release(1).handlers);
    let same = shop.run(&["rollback", "1"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(stdout(&same).starts_with("nothing changes"), "{}", stdout(&same));

    let nowhere = shop.run(&["rollback", "9"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(stderr(&nowhere).contains("has no release 9"), "{}", stderr(&nowhere));
    shop.spoil(shop.release(3).handlers["one"].artifact);
    let spoilt = shop.run(&["rollback", "3"]);
    assert_eq!(spoilt.status.code(), Some(1));
    assert!(stderr(&spoilt).contains("release 3 can't be served any more"), "{}", stderr(&spoilt));
    assert_eq!(shop.live().number, ReleaseNumber(5));
}

#[test]
fn releases_are_listed_with_who_when_why_and_what() {
    let shop = Shop::new();
    assert_eq!(shop.json(&["releases"])["releases"], json!([]));
    let one = shop.handler("one", "a", 1);
    let mut deploy = shop.command(&["deploy", &one, "--why", "the \x1b[31mfirst"]);
    assert!(deploy.env("USER", "ada").env("HOSTNAME", "laptop").output().unwrap().status.success());
    shop.overtaken("bob");
    shop.handler("one", "a", 2);
    shop.json(&["deploy", &one, "--by", "eve"]);
    let listed = shop.json(&["releases"]);
    assert_eq!(listed["live"], 3);
    let told = |release: &Value| (release["release"].clone(), release["state"].clone(), release["by"].clone());
    let told: Vec<_> = listed["releases"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told[0], (json!(3), json!("live"), json!("eve")));
    assert_eq!(told[1], (json!(2), json!("never-live"), json!("bob")));
    assert_eq!(told[2], (json!(1), json!("past"), json!("ada@laptop")));
    let changes = &listed["releases"][0]["changes"][0];
    assert_eq!(changes["before"]["artifact"], json!(shop.release(1).handlers["one"].artifact));
    assert!(tidemill_events::parse_rfc3339(listed["releases"][0]["at"].as_str().unwrap()).is_ok());

    let text = shop.run(&["releases", "--limit", "2"]);
    let lines: Vec<_> = stdout(&text).lines().collect();
    assert!(lines[0].starts_with("3  [live]  deploy  "), "{lines:?}");
    assert!(lines[1].contains(" → "), "{lines:?}");
    assert!(lines[2].starts_with("2  [never live]  "), "{lines:?}");
    let all = shop.run(&["releases"]);
    assert!(stdout(&all).contains("why: the \\u{1b}[31mfirst"), "{}", stdout(&all));
    assert!(!stdout(&all).contains('\x1b'));

    // One that was cut short hides none of the others.
    shop.cut_short(1);
    let cut = shop.run(&["releases"]);
    assert_eq!(cut.status.code(), Some(0), "{}", stderr(&cut));
    assert!(stdout(&cut).starts_with("3  [live]  deploy  "), "{}", stdout(&cut));
    assert!(stdout(&cut).contains("\n1  [unreadable]  the store "), "{}", stdout(&cut));
    assert_eq!(shop.json(&["releases"])["releases"][2]["state"], "unreadable");
}

#[test]
fn a_store_whose_path_is_misspelt_is_not_made_by_looking_at_it() {
    let shop = Shop::new();
    let path = shop.path("misspelt");
    for command in ["status", "releases", "verify", "rollback"] {
        let trusted = ["--trusted-key", "a=ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
        let key: &[&str] = if command == "verify" { &trusted } else { &[] };
        let looked = run(&[&[command, "--store", &path], key].concat());
        assert_eq!(looked.status.code(), Some(1), "{command}");
        assert!(stderr(&looked).contains("there is no such folder"), "{command}: {}", stderr(&looked));
    }
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn a_store_is_made_when_something_is_written_to_it_and_not_before() {
    let shop = Shop::new();
    let (one, path) = (shop.handler("one", "a", 1), shop.path("deep/store"));
    let broken = shop.place("broken", "events = [\"b\"]\n", artifacts::WRONG_WORLD);
    let deploy = |arguments: &[&str]| run(&[&["deploy", "--store", &path], arguments].concat());
    let dry = deploy(&[&one, "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", stderr(&dry));
    assert!(stdout(&dry).starts_with(&format!("would make live in {path}: deploy\n  one: new: ")), "{}", stdout(&dry));
    for (arguments, says) in [
        (&["/nowhere"][..], "/nowhere: it can't be read"),
        (&[&broken], "broken: handler.wasm: "),
        (&[&one, "--canary", "5%"], "the handler one doesn't serve yet"),
        (&[&one, "--sign-with", "/nowhere.pem"], "/nowhere.pem: it can't be read"),
        (&[&one, "--rehearse", &shop.path("empty")], ""),
    ] {
        std::fs::create_dir_all(shop.path("empty")).unwrap();
        let failed = deploy(arguments);
        assert!(!failed.status.success(), "{arguments:?}");
        assert!(stderr(&failed).contains(says), "{arguments:?}: {}", stderr(&failed));
    }
    assert!(!std::fs::exists(shop.path("deep")).unwrap());
    let made = deploy(&[&one, "--wait"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(stdout(&made).starts_with(&format!("release 1 is live in {path}: deploy\n")), "{}", stdout(&made));
    assert_eq!(run(&["status", "--store", &path]).status.code(), Some(0));
}

#[test]
fn of_many_who_deploy_at_once_nobody_is_told_that_is_live_what_never_was() {
    const WRITERS: u32 = 6;
    let shop = Shop::new();
    let deploy = |version: u32| {
        // Each from a folder of its own, since they run at once.
        let path = shop.place(&format!("from-{version}/one"), &Shop::manifest("one", "a", version), artifacts::EMPTY);
        shop.command(&["deploy", &path, "--output", "json"])
    };
    assert!(deploy(0).output().unwrap().status.success());
    let start = |version| deploy(version).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let running: Vec<_> = (1..=WRITERS).map(start).collect();
    let mut made = BTreeSet::from([ReleaseNumber(1)]);
    for child in running {
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            let number = shown(&output)["release"].as_u64().unwrap();
            assert!(made.insert(ReleaseNumber(number)), "two were told of release {number}");
        } else {
            assert_eq!(output.status.code(), Some(1));
            assert!(stderr(&output).contains("was changed by somebody else meanwhile"), "{}", stderr(&output));
        }
    }
    assert!(made.len() > 1, "nobody won");
    assert_eq!(shop.chain(), made);
}

#[test]
fn misuse_of_releases_ends_with_2() {
    let shop = Shop::new();
    let one = shop.handler("one", "a", 1);
    let empty = shop.place("built-nowhere", "events = [\"a\"]\n", artifacts::EMPTY);
    std::fs::remove_file(format!("{empty}/handler.wasm")).unwrap();
    for (arguments, says) in [
        (vec!["deploy", "/nowhere"], "/nowhere: it can't be read"),
        (vec!["deploy", "/etc"], "no handler in /etc"),
        (
            vec!["deploy", &empty],
            "built-nowhere/handler.wasm: there is no such file; `tidemill build --out DIR` makes it",
        ),
        (vec!["deploy", &one, "--canary", "5"], "\"5\" is no share"),
        (vec!["deploy", &one, "--canary", "100%"], "\"100%\" is no share"),
        (vec!["deploy", &one, "--wait=soon"], "\"soon\" is no time"),
        (vec!["deploy", &one, "--wait", "--dry-run"], "cannot be used with"),
        (vec!["rollback", "0"], "\"0\" is no number of a release"),
        (vec!["releases", "--limit", "0"], "--limit"),
        (vec!["remove"], "HANDLER"),
    ] {
        let output = shop.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
    let output = run(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("store: it is not set"), "{}", stderr(&output));
    let output = run(&["status", "--store", "ftp://somewhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("store (flag --store): it names no store"), "{}", stderr(&output));
}

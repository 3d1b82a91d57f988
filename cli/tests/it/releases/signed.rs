//! Who vouches for artifacts: keys that are made, artifacts that are signed with them, and what is said of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;
use tidemill_test_artifacts as artifacts;

use super::shop::{Shop, shown};
use crate::tidemill::{run, stderr, stdout, tidemill};

/// A key's file, and the flag by which it is trusted under this name.
fn keygen(shop: &Shop, name: &str) -> (String, String) {
    let file = shop.path(&format!("{name}.pem"));
    let made = run(&["keygen", "--out", &file]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    (file, format!("{name}={}", stdout(&made).trim()))
}

#[test]
fn a_key_is_its_owners_alone_and_never_overwritten() {
    let shop = Shop::new();
    let (file, trusted) = keygen(&shop, "release");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let again = run(&["keygen", "--out", &file]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("there is such a file already"), "{}", stderr(&again));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(trusted.starts_with("release=ed25519:"), "{trusted}");
    let other = shown(&run(&["keygen", "--out", &shop.path("other.pem"), "--output", "json"]));
    assert_ne!(format!("release={}", other["public_key"].as_str().unwrap()), trusted);
}

#[test]
fn a_key_that_could_not_be_written_leaves_no_file() {
    let shop = Shop::new();
    let file = shop.path("release.pem");
    // No file may have a byte: the write fails, as on a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" keygen --out \"$1\"";
    let full = Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_tidemill"), &file]).output().unwrap();
    assert_eq!(full.status.code(), Some(1), "{}", stderr(&full));
    assert!(stderr(&full).contains(&format!("{file}: it can't be written")), "{}", stderr(&full));
    assert!(!fs::exists(&file).unwrap());
}

#[test]
fn a_key_that_is_none_is_named_by_where_it_was_said_and_never_shown() {
    let shop = Shop::new();
    let one = shop.handler("one", "a", 1);
    let spoilt = "\n-----BEGIN PRIVATE KEY-----\nc3BvaWx0\n-----END PRIVATE KEY-----\n";
    let flag = shop.run(&["deploy", &one, &format!("--sign-with={spoilt}")]);
    let variable = |text: &str| shop.command(&["deploy", &one]).env("TIDEMILL_SIGN_WITH", text).output().unwrap();
    for (refused, says) in [
        (flag, "tidemill: --sign-with: "),
        (variable(spoilt), "tidemill: TIDEMILL_SIGN_WITH: "),
        (variable("/nowhere.pem"), "tidemill: TIDEMILL_SIGN_WITH: /nowhere.pem: it can't be read"),
    ] {
        assert!(!refused.status.success());
        assert!(stderr(&refused).starts_with(says), "{}", stderr(&refused));
        assert!(!stderr(&refused).contains("c3BvaWx0"), "{}", stderr(&refused));
    }
    assert!(shop.files().is_empty());
}

#[test]
fn a_folder_is_signed_verified_and_deployed_with_its_signature() {
    let shop = Shop::new();
    let ((file, trusted), (_, stranger)) = (keygen(&shop, "release"), keygen(&shop, "stranger"));
    let one = shop.handler("one", "a", 1);
    let verify = |arguments: &[&str]| run(&[&["verify"], arguments].concat());
    let unsigned = verify(&[&one, "--trusted-key", &trusted]);
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(stdout(&unsigned).contains("it isn't signed"), "{}", stdout(&unsigned));
    assert_eq!(run(&["sign", &one, "--sign-with", &file]).status.code(), Some(0));
    let signed = verify(&[&one, "--trusted-key", &trusted]);
    assert_eq!(signed.status.code(), Some(0));
    assert!(stdout(&signed).ends_with("is signed by release\n"), "{}", stdout(&signed));
    assert_eq!(verify(&[&one, "--trusted-key", &stranger]).status.code(), Some(1));
    assert_eq!(verify(&[&one]).status.code(), Some(2));

    // What is deployed takes its signature along; no key is needed then.
    shop.json(&["deploy", &one]);
    let live = shop.json(&["verify", "--trusted-key", &trusted]);
    assert_eq!(
        (&live["artifacts"][0]["handler"], &live["artifacts"][0]["signed_by"]),
        (&json!("one"), &json!("release"))
    );
    assert_eq!(live["artifacts"][0]["code_for"], json!([]));

    // A signature that is left beside another version is said to be, and nothing is written.
    let files = shop.files();
    shop.handler("one", "a", 2);
    let stale = shop.run(&["deploy", &one]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(stderr(&stale).contains("handler.sig is for the handler \"one\""), "{}", stderr(&stale));
    // So it is where another signature is made.
    let stale = shop.run(&["deploy", &one, "--sign-with", &file]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(stderr(&stale).contains("handler.sig is for the handler \"one\""), "{}", stderr(&stale));
    assert_eq!(shop.files(), files);
}

#[test]
fn a_file_that_is_no_signature_is_named_and_signed_over() {
    let shop = Shop::new();
    let (file, trusted) = keygen(&shop, "release");
    let one = shop.handler("one", "a", 1);
    fs::write(format!("{one}/handler.sig"), "{\"half\": ").unwrap();
    let deployed = shop.run(&["deploy", &one]);
    assert_eq!(deployed.status.code(), Some(1));
    assert!(stderr(&deployed).contains("one/handler.sig: it is no signature"), "{}", stderr(&deployed));
    assert!(shop.files().is_empty());
    let verify = || run(&["verify", &one, "--trusted-key", &trusted]);
    let spoilt = verify();
    assert_eq!(spoilt.status.code(), Some(1));
    assert!(stdout(&spoilt).contains("one/handler.sig: it is no signature"), "{}", stdout(&spoilt));
    let signed = run(&["sign", &one, "--sign-with", &file]);
    assert_eq!(signed.status.code(), Some(0), "{}", stderr(&signed));
    assert_eq!(verify().status.code(), Some(0));
}

#[test]
fn a_signature_that_lies_beside_is_taken_along_where_another_is_made() {
    let shop = Shop::new();
    let ((builder, built), (release, released)) = (keygen(&shop, "builder"), keygen(&shop, "release"));
    let one = shop.handler("one", "a", 1);
    assert_eq!(run(&["sign", &one, "--sign-with", &builder]).status.code(), Some(0));
    shop.json(&["deploy", &one, "--sign-with", &release]);
    for key in [&built, &released] {
        let verified = shop.run(&["verify", "--trusted-key", key]);
        assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    }
}

#[test]
fn what_is_deployed_is_signed_and_compiled_where_that_is_asked_for() {
    let shop = Shop::new();
    let (file, trusted) = keygen(&shop, "release");
    let one = shop.handler("one", "a", 1);
    let without = shop.run(&["deploy", &one, "--compile"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(stderr(&without).contains("--compile takes --sign-with"), "{}", stderr(&without));
    assert!(shop.files().is_empty());

    // The key may be a variable's content, as in a pipeline that has secrets in no file.
    let mut deploy = shop.command(&["deploy", &one, "--compile"]);
    let deployed = deploy.env("TIDEMILL_SIGN_WITH", fs::read_to_string(&file).unwrap()).output().unwrap();
    assert_eq!(deployed.status.code(), Some(0), "{}", stderr(&deployed));
    let live = shop.json(&["verify", "--trusted-key", &trusted]);
    let engine = live["artifacts"][0]["code_for"][0].as_str().unwrap();
    let code = shop.files().into_iter().find(|(path, _)| path.ends_with(format!("code/{engine}.cwasm")));
    let (code, native) = code.unwrap();

    // What hosts would not load is said, and no reason for them not to serve: they compile.
    let verified = || stdout(&shop.run(&["verify", "--trusted-key", &trusted])).to_owned();
    let judged = || shop.json(&["verify", "--trusted-key", &trusted])["artifacts"][0].clone();
    assert!(verified().ends_with(&format!("is signed by release, with code for {engine}\n")), "{}", verified());
    fs::write(&code, "something else").unwrap();
    assert!(
        verified().contains(&format!("; its code for {engine} is not what was signed, so hosts")),
        "{}",
        verified()
    );
    assert_eq!((&judged()["code_for"], &judged()["code_changed_for"]), (&json!([]), &json!([engine])));
    fs::remove_file(&code).unwrap();
    assert!(verified().contains(&format!("; its code for {engine} is missing, so hosts")), "{}", verified());
    assert_eq!((&judged()["code_for"], &judged()["code_missing_for"]), (&json!([]), &json!([engine])));
    fs::write(&code, native).unwrap();

    // The same again changes nothing, and a second key's signature comes beside the first's.
    let (second, also) = keygen(&shop, "second");
    let files = shop.files().len();
    let again = shop.json(&["deploy", &one, "--sign-with", &second]);
    assert_eq!(again["release"], json!(null));
    assert_eq!(shop.files().len(), files + 1);
    for key in [&trusted, &also] {
        assert_eq!(shop.run(&["verify", "--trusted-key", key]).status.code(), Some(0));
    }
}

#[test]
fn what_is_live_is_signed_afterwards_by_whoever_has_the_key() {
    let shop = Shop::new();
    let (file, trusted) = keygen(&shop, "release");
    shop.handler("one", "a", 1);
    shop.handler("two", "b", 1);
    let deployed = shop.json(&["deploy", &shop.handlers()]);
    let digest = |at: usize| deployed["changes"][at]["after"]["artifact"].as_str().unwrap();
    let (one, two) = (digest(0), digest(1));
    let unsigned = shop.files();

    // That the store has them is no reason: each has to be named.
    for trusts in [&[][..], &["--trusted-key", &trusted]] {
        let refused = shop.run(&[&["sign", "--sign-with", &file], trusts].concat());
        assert_eq!(refused.status.code(), Some(1));
        let says = format!("--artifact {one} (one), --artifact {two} (two)");
        assert!(stderr(&refused).contains(&says), "{}", stderr(&refused));
    }
    assert_eq!(shop.files(), unsigned);
    let signed = shop.json(&["sign", "--artifact", one, "--sign-with", &file]);
    assert_eq!(signed["signed"], json!([{ "handler": "one", "artifact": one, "new": true }]));
    let half = shop.run(&["verify", "--trusted-key", &trusted]);
    assert_eq!(half.status.code(), Some(1));
    assert!(stdout(&half).contains("two: ") && stdout(&half).contains("it isn't signed"), "{}", stdout(&half));
    let rest = shop.run(&["sign", "--sign-with", &file, "--trusted-key", &trusted]);
    let says = format!("name those that you vouch for: --artifact {two} (two)\n");
    assert!(stderr(&rest).ends_with(&says), "{}", stderr(&rest));
    shop.json(&["sign", "--artifact", two, "--sign-with", &file]);

    // What a trusted key has signed may be signed again: with code, and with another key.
    let (second, also) = keygen(&shop, "second");
    let signed = shop.json(&["sign", "--compile", "--sign-with", &second, "--trusted-key", &trusted]);
    assert_eq!(signed["signed"].as_array().unwrap().len(), 2);
    let whole = shop.json(&["verify", "--trusted-key", &also]);
    assert!(whole["artifacts"].as_array().unwrap().iter().all(|one| one["code_for"][0].is_string()), "{whole}");
    let elsewhere = format!("sha256:{}", "0".repeat(64));
    for (arguments, says, code) in [
        (&["sign"][..], "no key to sign with", 2),
        (&["sign", "--sign-with", "/nowhere.pem"], "/nowhere.pem: it can't be read", 1),
        (&["sign", "--sign-with", artifacts::EMPTY], "it can't be read", 1),
        (&["sign", "--sign-with", &file, "--handler", "three"], "has no handler \"three\"", 1),
        (&["sign", "--sign-with", &file, "--artifact", &elsewhere], "release 1 has no artifact sha256:0000", 1),
        (&["sign", "--sign-with", &file, "--artifact", one, "--handler", "two"], "of these handlers", 1),
        (&["sign", "--sign-with", &file, "--artifact", "sha256:00"], "--artifact", 2),
        (&["sign", "--sign-with", &file, "--release", "9"], "has no release 9", 1),
        (&["sign", &shop.handlers(), "--sign-with", &file, "--artifact", one], "cannot be used with", 2),
    ] {
        let refused = shop.run(arguments);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(says), "{arguments:?}: {}", stderr(&refused));
    }
    let mut sign = tidemill();
    let neither = sign.args(["sign", "--sign-with", &file]).output().unwrap();
    assert_eq!(neither.status.code(), Some(2));
    assert!(stderr(&neither).contains("store"), "{}", stderr(&neither));
}

#[test]
fn a_store_can_not_have_an_artifact_signed_as_another_handler() {
    let shop = Shop::new();
    let (file, trusted) = keygen(&shop, "release");
    let one = shop.place("one", "events = [\"a\"]\n", artifacts::EMPTY);
    shop.json(&["deploy", &one, "--sign-with", &file]);
    // Somebody who can write to the store has the artifact serve as what is granted more.
    let mut release = shop.live();
    let served = release.handlers["one"].clone();
    let digest = served.artifact.to_string();
    release.handlers = [("payments".to_owned(), served)].into();
    shop.wait(shop.store.make_live(Some(&shop.look()), release)).unwrap();
    let files = shop.files();
    for (arguments, says) in [
        (&["--trusted-key", &trusted][..], "no trusted key has signed these yet"),
        (&["--artifact", &digest], "only the store says which handler it is of"),
        (&["--artifact", &digest, "--handler", "one"], "release 2 has no handler \"one\""),
    ] {
        let refused = shop.run(&[&["sign", "--sign-with", &file], arguments].concat());
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&refused).contains(says), "{arguments:?}: {}", stderr(&refused));
    }
    assert_eq!(shop.files(), files);
    assert_eq!(shop.json(&["sign", "--release", "1", "--sign-with", &file, "--trusted-key", &trusted])["release"], 1);
    shop.json(&["sign", "--sign-with", &file, "--artifact", &digest, "--handler", "payments"]);
}

#[test]
fn what_rollback_goes_back_to_is_signed_with_a_new_key() {
    let shop = Shop::new();
    let ((old, trusted), (new, also)) = (keygen(&shop, "old"), keygen(&shop, "new"));
    for version in 1..=2 {
        let one = shop.handler("one", "a", version);
        shop.json(&["deploy", &one, "--sign-with", &old]);
    }
    let verify = || shop.run(&["verify", "--trusted-key", &also]).status.code();
    let sign = |more: &[&str]| {
        let signed = shop.json(&[&["sign", "--sign-with", &new, "--trusted-key", &trusted], more].concat());
        signed["release"].clone()
    };
    assert_eq!((verify(), sign(&[]), verify()), (Some(1), json!(2), Some(0)));
    shop.json(&["rollback"]);
    assert_eq!((verify(), sign(&["--release", "1"]), verify()), (Some(1), json!(1), Some(0)));
}

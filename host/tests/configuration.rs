//! Flags, variables and the file: which wins, and what is said of what is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use tidemill_events::Scheme;
use tidemill_host::config::{
    AuthMode, Config, DeadLetterTarget, DedupStoreConfig, IamConfig, Problems, SETTINGS, Sources, Unavailable,
    with_flags,
};

struct Given<'a> {
    flags: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    file: &'a str,
}

const LEAST: Given<'static> =
    Given { flags: &["--handlers", "h", "--auth", "none", "--signing-key", "k1=a"], variables: &[], file: "" };

fn read(given: &Given<'_>) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    if !given.file.is_empty() {
        std::fs::write(folder.path().join("tidemill.toml"), given.file).unwrap();
    }
    let command = with_flags(clap::Command::new("test").no_binary_name(true));
    let flags = command.get_matches_from(given.flags);
    let variables = given.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Sources::gather(&flags, variables, folder.path()))
}

fn problems(given: &Given<'_>) -> Vec<String> {
    read(given).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn flags_win_then_variables_then_the_file_then_defaults() {
    let file = "port = 1\n";
    assert_eq!(read(&LEAST).unwrap().listen.port(), 8080);
    assert_eq!(read(&Given { file, ..LEAST }).unwrap().listen.port(), 1);
    let variables = &[("PORT", "2")];
    assert_eq!(read(&Given { variables, file, ..LEAST }).unwrap().listen.port(), 2);
    let variables = &[("PORT", "2"), ("TIDEMILL_PORT", "3")];
    assert_eq!(read(&Given { variables, file, ..LEAST }).unwrap().listen.port(), 3);
    let flags = [LEAST.flags, &["--port", "4"]].concat();
    assert_eq!(read(&Given { flags: &flags, variables, file }).unwrap().listen.port(), 4);
}

#[test]
fn a_file_can_hold_everything() {
    let file = r#"
        handlers = "./handlers"
        auth = "none"
        accept = "v1, v2"
        signing-keys = ["k1=a", "k2=b"]
        grace = "5s"
        max-body = "1MiB"
        [handler-config.email-on-register]
        mail-key = "from the file"
    "#;
    let config = read(&Given { flags: &[], variables: &[], file }).unwrap();
    assert_eq!(config.keys.ring.keys().iter().map(|key| key.id()).collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!((config.grace, config.max_body), (Duration::from_secs(5), 1 << 20));
    let value = config.handler_values.read("email-on-register", "mail-key", |_| false).unwrap().unwrap();
    assert_eq!(value.text.as_str(), "from the file");
}

#[test]
fn handlers_values_come_from_flags_variables_and_the_file_in_that_order() {
    let file = "[handler-config.email-on-register]\nmail-key = \"file\"\nfrom = \"file\"\nmail-url = \"file\"\n";
    let variables = &[
        ("TIDEMILL_HANDLER_EMAIL_ON_REGISTER__MAIL_KEY", "variable"),
        ("TIDEMILL_HANDLER_EMAIL_ON_REGISTER__FROM", "variable"),
    ];
    let flags = [LEAST.flags, &["--handler-config", "email-on-register.mail-key=fl=ag"]].concat();
    let values = read(&Given { flags: &flags, variables, file }).unwrap().handler_values;
    let get = |key| values.read("email-on-register", key, |_| false).unwrap().map(|value| value.text.to_string());
    assert_eq!(
        ["mail-key", "from", "mail-url", "to"].map(get),
        [Some("fl=ag".into()), Some("variable".into()), Some("file".into()), None]
    );
    assert!(!format!("{values:?}").contains("fl=ag"), "a value shows");
}

#[test]
fn all_problems_are_told_together_each_with_its_field_and_source() {
    let given = Given {
        flags: &["--port", "http", "--grace", "9"],
        variables: &[("TIDEMILL_MAX_BODY", "16MB"), ("TIDEMILL_AUTH", "ODIC")],
        file: "max-in-flight = 0\nmax-conections = 5\naddress = \"here\"\n",
    };
    let told = problems(&given);
    for part in [
        "port (flag --port): \"http\" is no port",
        "grace (flag --grace): \"9\" is no time",
        "max-body (variable TIDEMILL_MAX_BODY): \"16MB\" is no size",
        "auth (variable TIDEMILL_AUTH): \"ODIC\" is none of none, iam, oidc",
        "tidemill.toml): \"0\" is no whole number from 1 to 4096",
        "tidemill.toml): there is no such setting",
        "tidemill.toml): \"here\" is no IP address",
        "handlers: it is not set",
        "signing-keys: there is none",
    ] {
        assert!(told.iter().any(|line| line.contains(part)), "{part} is missing in {told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
}

fn with_auth(flags: &[&str]) -> Result<Config, Problems> {
    let flags = [&["--handlers", "h", "--signing-key", "k1=a"], flags].concat();
    read(&Given { flags: &flags, ..LEAST })
}

#[test]
fn a_mode_has_what_it_needs() {
    let oidc = ["--auth", "oidc", "--auth-email", "a@x,b@x", "--auth-audience", "https://e/events"];
    let AuthMode::Oidc(config) = with_auth(&oidc).unwrap().auth else { panic!("another mode") };
    assert_eq!((config.emails, config.audiences), (vec!["a@x".into(), "b@x".into()], vec!["https://e/events".into()]));
    assert_eq!(config.issuers, ["https://accounts.google.com", "accounts.google.com"]);
    assert_eq!(config.jwks_url.to_string(), "https://www.googleapis.com/oauth2/v3/certs");
    let own = ["--auth-issuer", "https://i", "--auth-jwks-url", "https://i/certs"];
    let AuthMode::Oidc(config) = with_auth(&[&oidc[..], &own[..]].concat()).unwrap().auth else {
        panic!("another mode")
    };
    assert_eq!((config.issuers, config.jwks_url.to_string()), (vec!["https://i".into()], "https://i/certs".into()));
    let iam = with_auth(&["--auth", "iam", "--auth-email", "a@x"]).unwrap();
    assert_eq!(iam.auth, AuthMode::Iam(IamConfig { emails: vec!["a@x".into()], audiences: vec![] }));
    assert!(iam.warnings.is_empty(), "{:?}", iam.warnings);
}

#[test]
fn a_mode_without_what_it_needs_says_what_to_write() {
    for (flags, told) in [
        (&["--auth", "oidc"][..], &["auth-email: it is not set", "auth-audience: it is not set"][..]),
        (&["--auth", "iam"], &["auth-email: it is not set"]),
        (
            &["--auth", "oidc", "--auth-email", "push", "--auth-audience", "a b", "--auth-jwks-url", "http://e/"],
            &["\"push\" is no account's address", "\"a b\" has a space", "\"http://e/\" is not https"],
        ),
        (&["--auth-email", "push"], &["auth: it is not set", "\"push\" is no account's address"]),
    ] {
        let problems: Vec<_> = with_auth(flags).unwrap_err().0.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), told.len(), "{problems:#?}");
        for part in told {
            assert!(problems.iter().any(|line| line.contains(part)), "{part} is missing in {problems:#?}");
        }
    }
}

#[test]
fn what_a_mode_makes_no_use_of_is_warned_of() {
    let idle = ["--auth-email", "a@x", "--auth-audience", "a", "--auth-issuer", "i", "--auth-jwks-url", "https://i/"];
    for (mode, warned) in [
        ("none", &["auth-email", "auth-audience", "auth-issuer", "auth-jwks-url"][..]),
        ("iam", &["auth-issuer", "auth-jwks-url"]),
        ("oidc", &[]),
    ] {
        let warnings = with_auth(&[&["--auth", mode], &idle[..]].concat()).unwrap().warnings;
        assert_eq!(warnings.len(), warned.len(), "{mode}: {warnings:?}");
        assert!(warnings.iter().zip(warned).all(|(line, name)| line.starts_with(&format!("{name}:"))), "{warnings:?}");
    }
}

#[test]
fn secrets_are_never_repeated() {
    let told = problems(&Given {
        flags: &["--handlers", "h", "--auth", "none", "--signing-key", "hunter2", "--handler-config", "hunter3"],
        ..LEAST
    });
    assert!(told.len() == 2 && !told.concat().contains("hunter"), "{told:?}");
    let config = read(&LEAST).unwrap();
    assert!(!format!("{:?}", config.keys).contains("=a"));
}

#[test]
fn the_deduplication_store_is_a_word_or_a_url_whose_password_never_shows() {
    let dedup = |flags: &[&str]| read(&Given { flags: &[LEAST.flags, flags].concat(), ..LEAST }).map(|c| c.dedup);
    let default = dedup(&[]).unwrap();
    assert!(matches!(default.store, DedupStoreConfig::Memory { capacity: 100_000 }), "{default:?}");
    assert_eq!((default.remember, default.unavailable), (Duration::from_secs(720_000), Unavailable::Nack));
    assert!(matches!(dedup(&["--dedup", "none"]).unwrap().store, DedupStoreConfig::None));
    let redis = dedup(&["--dedup", "rediss://:hunter2@cache/1", "--dedup-unavailable", "run"]).unwrap();
    let shown = format!("{redis:?}");
    assert!(shown.contains("rediss://cache:6379/1") && !shown.contains("hunter2"), "{shown}");
    for wrong in ["redis://:hunt/er2@cache", "hunter2"] {
        let told = dedup(&["--dedup", wrong, "--dedup-remember", "5s", "--dedup-capacity", "1"]).unwrap_err();
        assert!(told.0.len() == 3 && !told.to_string().contains("hunt"), "{told}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line_and_never_quoted() {
    for file in ["port = 1\nsigning-keys = \"k=hunter2\"\nsigning-keys = \"k=hunter3\"\n", "\n\nproject = hunter2\n"] {
        let told = problems(&Given { file, ..LEAST }).concat();
        assert!(told.contains("in line 3") && !told.contains("hunter"), "{told}");
    }
}

#[test]
fn keys_come_from_a_file_too_and_ids_are_unique() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, "# rotated in May\nold=x\n\nk1=y\n").unwrap();
    let path = path.to_str().unwrap();
    let flags = ["--handlers", "h", "--auth", "none", "--signing-keys-file", path];
    let config = read(&Given { flags: &flags, ..LEAST }).unwrap();
    assert_eq!((config.keys.ring.keys().len(), config.keys.fixed.len()), (2, 0));
    let flags = [LEAST.flags, &["--signing-keys-file", path]].concat();
    assert!(problems(&Given { flags: &flags, ..LEAST })[0].contains("\"k1\" is given twice"));
    std::fs::write(path, "old=x\nno separator\n").unwrap();
    assert!(problems(&Given { flags: &flags, ..LEAST })[0].contains("line 2"));
}

#[test]
fn what_looks_like_a_setting_and_is_none_is_warned_of() {
    let config = read(&Given { variables: &[("TIDEMILL_SINGING_KEYS", "k1=a")], ..LEAST }).unwrap();
    assert!(config.warnings[0].contains("TIDEMILL_SINGING_KEYS"), "{:?}", config.warnings);
}

#[test]
fn v2_alone_is_accepted_by_default_and_v1_is_warned_of() {
    let config = read(&LEAST).unwrap();
    assert_eq!(config.verify.accept, [Scheme::V2]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let flags = [LEAST.flags, &["--accept", "v1,v2"]].concat();
    let config = read(&Given { flags: &flags, ..LEAST }).unwrap();
    assert_eq!(config.verify.accept, [Scheme::V1, Scheme::V2]);
    assert!(config.warnings[0].contains("event of any other type"), "{:?}", config.warnings);
}

#[test]
fn dead_letters_go_to_a_topic_or_a_folder() {
    let target = |text: &str| {
        let flags = [LEAST.flags, &["--dead-letter", text]].concat();
        read(&Given { flags: &flags, ..LEAST }).map(|config| config.dead_letter.target.unwrap())
    };
    let topic = "projects/shop/topics/dead";
    assert_eq!(target(topic).unwrap(), DeadLetterTarget::Topic(topic.parse().unwrap()));
    assert_eq!(target("./dead").unwrap(), DeadLetterTarget::Folder("./dead".into()));
    assert!(target("projects/shop/dead").unwrap_err().to_string().contains("dead-letter (flag --dead-letter)"));
}

#[test]
fn a_handler_gets_half_of_the_places_unless_told_otherwise() {
    let per_handler = |more: &[&str]| {
        let flags = [LEAST.flags, &["--max-in-flight", "9"], more].concat();
        read(&Given { flags: &flags, ..LEAST }).unwrap().in_flight.per_handler
    };
    assert_eq!(per_handler(&[]), 5);
    assert_eq!(per_handler(&["--max-in-flight-per-handler", "2"]), 2);
    assert_eq!(per_handler(&["--max-in-flight-per-handler", "100"]), 9);
    let flags = [LEAST.flags, &["--max-body-in-flight", "1MiB"]].concat();
    assert!(problems(&Given { flags: &flags, ..LEAST })[0].contains("less than one body may have"));
}

#[test]
fn every_setting_has_a_flag_a_variable_and_a_reference_entry() {
    let page = include_str!("../../docs/configuration.md");
    for setting in SETTINGS {
        let expected = format!("TIDEMILL_{}", setting.name.to_uppercase().replace('-', "_"));
        assert_eq!(setting.variable, expected);
        for word in [setting.name, &format!("--{}", setting.flag()), setting.variable, setting.help] {
            assert!(page.contains(word), "docs/configuration.md doesn't say {word:?}");
        }
    }
}

/// Else an event could be played again that is still young enough to be taken, and no longer remembered.
#[test]
fn a_memory_that_ends_before_an_event_is_too_old_is_warned_of() {
    let warnings = |age: &str, remember: &str| {
        let flags = [LEAST.flags, &["--max-event-age", age, "--dedup-remember", remember]].concat();
        read(&Given { flags: &flags, ..LEAST }).unwrap().warnings
    };
    assert!(warnings("24h", "24h").concat().contains("dedup-remember"));
    assert!(warnings("24h", "25h").is_empty());
}

#[test]
fn a_source_without_signatures_needs_somebody_who_vouches() {
    let rule = ["--unsigned-source", "projects/p/subscriptions/s -> a"];
    let flags = [LEAST.flags, &rule].concat();
    assert!(problems(&Given { flags: &flags, ..LEAST })[0].contains("unsigned-sources"));
    let iam =
        ["--handlers", "h", "--signing-key", "k1=a", "--auth", "iam", "--auth-email", "push@p.iam.gserviceaccount.com"];
    let flags = [iam.as_slice(), &rule].concat();
    assert_eq!(read(&Given { flags: &flags, ..LEAST }).unwrap().verify.unsigned_sources.len(), 1);
}

#[test]
fn serving_anybody_on_cloud_run_is_warned_of() {
    let config = read(&Given { variables: &[("K_SERVICE", "events")], ..LEAST }).unwrap();
    assert!(config.warnings[0].contains("Cloud Run"), "{:?}", config.warnings);
}

#[test]
fn what_is_opened_to_handlers_is_a_host_and_never_a_metadata_server() {
    let outgoing = |flags: &[&str]| read(&Given { flags: &[LEAST.flags, flags].concat(), ..LEAST }).map(|c| c.outgoing);
    let default = outgoing(&[]).unwrap();
    assert_eq!((default.allow_private.len(), default.roots.len(), default.max_open), (0, 0, 256));
    assert_eq!((default.connect_timeout, default.timeout), (Duration::from_secs(5), Duration::from_secs(30)));
    let opened = outgoing(&["--allow-private", "Mail.Internal:8025,[::1]", "--allow-private", "10.0.0.7"]).unwrap();
    let shown: Vec<_> = opened.allow_private.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["mail.internal:8025", "[::1]", "10.0.0.7"]);
    let wrong = ["169.254.169.254", "metadata.google.internal", "0.0.0.0", "10.0.0.0/8", "127.1"];
    let flags: Vec<_> = wrong.iter().flat_map(|host| ["--allow-private", host]).collect();
    let told = outgoing(&[&flags, &["--outgoing-ca", "away.pem", "--max-outgoing", "many"][..]].concat()).unwrap_err();
    assert_eq!(told.0.len(), wrong.len() + 2, "{told}");
    assert!(wrong.iter().all(|host| told.to_string().contains(&format!("{host:?} opens no private host"))), "{told}");
}

/// A rule is one flag, or one item of a list: what stands behind a comma is no rule that anybody meant to give.
#[test]
fn a_rule_with_a_comma_is_no_two_rules() {
    let flags = [LEAST.flags, &["--grant", "mail publish=mail.sent,* all"]].concat();
    let told = problems(&Given { flags: &flags, ..LEAST });
    assert!(told.len() == 1 && told[0].contains("no space, comma"), "{told:?}");
    let told = problems(&Given { file: "grants = [\"mail all,* all\"]", ..LEAST });
    assert!(told.len() == 1 && told[0].contains("\"all,*\" is no KIND=VALUE"), "{told:?}");
    let variables = &[("TIDEMILL_GRANTS", "mail key-value=default, * memory=1MiB")];
    let grants = read(&Given { variables, ..LEAST }).unwrap().grants;
    assert!(grants.of("mail").key_value("default") && grants.of("other").caps().memory == Some(1 << 20));
}

#[test]
fn who_trusts_a_key_refuses_what_none_has_signed_unless_told_otherwise() {
    let key = tidemill_host::trust::SecretKey::generate().unwrap().0.public();
    let (first, second) = (format!("a={key}"), format!("b={key}"));
    let read = |flags: &[&str]| read(&Given { flags: &[LEAST.flags, flags].concat(), ..LEAST });
    let digest = tidemill_host::artifact::Digest::of(b"");
    let runs = |flags: &[&str]| read(flags).unwrap().trust.judge("h", digest, &[]).is_ok();
    assert!(runs(&[]));
    assert!(!runs(&["--trusted-key", &first]));
    assert!(runs(&["--trusted-key", &first, "--unsigned-artifacts", "allow"]));
    assert!(!runs(&["--trusted-key", &first, "--trusted-key", &second, "--unsigned-artifacts", "refuse"]));
    // What is meant to name a key and doesn't is no word for running everything.
    for given in [
        Given {
            flags: &[LEAST.flags, &["--trusted-key", ""]].concat(),
            variables: &[("TIDEMILL_TRUSTED_KEYS", &first)],
            ..LEAST
        },
        Given { variables: &[("TIDEMILL_TRUSTED_KEYS", "")], ..LEAST },
        Given { variables: &[("TIDEMILL_TRUSTED_KEYS", ",")], ..LEAST },
        Given { file: "trusted-keys = []\n", ..LEAST },
    ] {
        let problems = problems(&given).join("\n");
        assert!(problems.contains("names no key"), "{problems}");
    }
    for (flags, says) in [
        (&["--trusted-key", "ed25519:AAAA"][..], "it names no key"),
        (&["--trusted-key", "a=ed25519:AAAA"], "it is no public key"),
        (&["--trusted-key", &first, "--trusted-key", &first], "two keys have the name \"a\""),
        (&["--unsigned-artifacts", "refuse"], "no key is trusted"),
        (&["--trusted-key", &first, "--unsigned-artifacts", "maybe"], "unsigned-artifacts"),
    ] {
        let problems = read(flags).unwrap_err().to_string();
        assert!(problems.contains(says), "{flags:?}: {problems}");
    }
}

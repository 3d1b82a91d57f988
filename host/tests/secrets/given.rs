//! Which source gives a value, and what is said where none can.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill_host::config::{Grants, HandlerValues, Quota, Terms};
use tidemill_host::registry::Manifest;

use super::values;

const QUOTA: Quota = Quota { deadline: Duration::from_secs(10), memory: 64 << 20 };
const KEY: &str = "events = [\"a\"]\n[config]\nkey = { secret = true }\n";

fn terms(values: &HandlerValues) -> Terms {
    Terms { values: values.clone(), quota: QUOTA, grants: Grants::all() }
}

/// What the handler `one` has for `key`, or why it is refused.
fn judged(manifest: &str, values: &HandlerValues) -> Result<Option<String>, String> {
    let manifest = Manifest::parse(manifest, "one", &terms(values)).map_err(|error| error.to_string())?;
    Ok(manifest.grant.config.get("key").map(str::to_owned))
}

fn key(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Option<String>, String> {
    judged(KEY, &values(flags, variables, file).map_err(|problems| problems.to_string())?)
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Arc<str> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn a_value_may_lie_in_a_file_whichever_source_says_so_and_the_strongest_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| written(folder.path(), name, format!("{name}\n"));
    let (flag, variable, file) = (path("flag"), path("variable"), path("file"));
    let flags = ["--handler-config-file", &format!("one.key={flag}")];
    let in_file = format!("[handler-config.one]\nkey = {{ file = {file:?} }}\n");
    let of_file = [("TIDEMILL_HANDLER_ONE__KEY_FILE", &*variable)];
    assert_eq!(key(&flags, &of_file, &in_file), Ok(Some("flag".into())));
    assert_eq!(key(&[], &of_file, &in_file), Ok(Some("variable".into())));
    assert_eq!(key(&[], &[], &in_file), Ok(Some("file".into())));
    // A stronger source's text goes before a weaker one's file, which is then not even looked at.
    assert_eq!(
        key(&["--handler-config", "one.key=text"], &[], "[handler-config.one]\nkey = { file = \"/nowhere\" }\n"),
        Ok(Some("text".into()))
    );
}

#[test]
fn a_file_that_gives_no_value_refuses_the_handler_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| written(folder.path(), name, bytes);
    for (path, told) in [
        ("/nowhere/at-all".into(), "can't be read"),
        (folder.path().to_str().unwrap().into(), "no regular file"),
        (path("long", "hunter2".repeat(10_000).as_bytes()), "more than 65536 bytes"),
        (path("bytes", b"hunter2\xff"), "no UTF-8"),
        (path("empty", b""), "empty"),
    ] {
        let error = key(&[], &[("TIDEMILL_HANDLER_ONE__KEY_FILE", &path)], "").unwrap_err();
        for part in ["`config.key`", "handler one", &path, told] {
            assert!(error.contains(part), "{part} is missing: {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_value_and_a_file_for_one_key_from_one_source_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "value", "hunter2");
    let file_flag = format!("one.key={path}");
    let flags = ["--handler-config", "one.key=hunter3", "--handler-config-file", &file_flag];
    let variables = [("TIDEMILL_HANDLER_ONE__KEY", "hunter3"), ("TIDEMILL_HANDLER_ONE__KEY_FILE", &*path)];
    let file = format!("[handler-config.one]\nkey = {{ file = {path:?}, text = \"hunter3\" }}\n");
    for (error, told) in [
        (key(&flags, &[], ""), "one.key has both a value and a file"),
        (key(&[], &variables, ""), "both TIDEMILL_HANDLER_ONE__KEY and TIDEMILL_HANDLER_ONE__KEY_FILE are set"),
        (key(&[], &[], &file), "one.key is neither a text nor a file"),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(told) && !error.contains("hunter"), "{error}");
    }
}

/// `KEY_FILE` is the file of `key`, unless a handler has a key by that name, too.
#[test]
fn a_variable_that_may_mean_two_keys_is_an_error_until_it_means_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "value", "from the file");
    let of_file = ("TIDEMILL_HANDLER_ONE__KEY_FILE", &*path);
    let both = "events = [\"a\"]\n[config]\nkey = \"default\"\nkey-file = \"default\"\n";
    let error = judged(both, &values(&[], &[of_file], "").unwrap()).unwrap_err();
    assert!(error.contains("TIDEMILL_HANDLER_ONE__KEY_FILE") && error.contains("`key-file`"), "{error}");
    let with_text = values(&[], &[of_file, ("TIDEMILL_HANDLER_ONE__KEY", "text")], "").unwrap();
    assert_eq!(judged(both, &with_text), Ok(Some("text".into())));
    let with_flag = values(&["--handler-config", "one.key=flag"], &[of_file], "").unwrap();
    assert_eq!(judged(both, &with_flag), Ok(Some("flag".into())));
}

#[test]
fn a_key_that_is_not_declared_is_an_error_with_a_file_too() {
    let error = key(&["--handler-config", "one.key=a", "--handler-config-file", "one.kye=/f"], &[], "").unwrap_err();
    assert!(error.contains("`config.kye`") && error.contains("doesn't declare"), "{error}");
}

#[test]
fn what_is_declared_without_a_default_is_required_unless_it_says_otherwise() {
    let none = HandlerValues::default();
    for (declared, required) in [
        ("{ secret = true }", true),
        ("{ required = true }", true),
        ("{ secret = true, required = false }", false),
        ("{ required = false }", false),
    ] {
        let judged = judged(&format!("events = [\"a\"]\n[config]\nkey = {declared}\n"), &none);
        match judged {
            Ok(value) => assert!(value.is_none() && !required, "{declared}"),
            Err(error) => assert!(required && error.contains("TIDEMILL_HANDLER_ONE__KEY_FILE"), "{declared}: {error}"),
        }
    }
    assert!(judged("events = [\"a\"]\n[config]\nkey = { secret = true, default = \"hunter2\" }\n", &none).is_err());
}

#[test]
fn a_secret_on_the_command_line_or_one_too_short_to_hide_is_warned_of() {
    let warnings = |flags: &[&str], variables: &[(&str, &str)]| {
        let values = values(flags, variables, "").unwrap();
        Manifest::parse(KEY, "one", &terms(&values)).unwrap().warnings
    };
    let flag = warnings(&["--handler-config", "one.key=hunter2"], &[]);
    assert!(flag.len() == 1 && flag[0].contains("`key`") && !flag[0].contains("hunter2"), "{flag:?}");
    assert!(warnings(&[], &[("TIDEMILL_HANDLER_ONE__KEY", "hunter2")]).is_empty());
    let short = warnings(&[], &[("TIDEMILL_HANDLER_ONE__KEY", "dev")]);
    assert!(short.len() == 1 && short[0].contains("too short"), "{short:?}");
}

/// Its variable looks like one of a handler `config`.
#[test]
fn the_setting_for_reading_again_is_no_handlers_value() {
    let variables = [("TIDEMILL_HANDLER_CONFIG_RELOAD", "5s"), ("TIDEMILL_HANDLER_ONE__KEY_FILE", "/f")];
    assert_eq!(values(&[], &variables, "").unwrap().reload(), Some(Duration::from_secs(5)));
    assert_eq!(values(&[], &variables[1..], "").unwrap().reload(), Some(Duration::from_secs(60)));
    assert_eq!(values(&["--handler-config", "one.key=a"], &variables[..1], "").unwrap().reload(), None);
}

/// Else a stranger's handler would only have to call its keys after what it wants to read.
#[test]
fn no_handler_reads_what_is_meant_for_another() {
    let meant_for_another = [("TIDEMILL_HANDLER_ONE_KEY__SECRET", "hunter2"), ("TIDEMILL_HANDLER_ONE_KEY", "hunter3")];
    let values = values(&[], &meant_for_another, "").unwrap();
    for key in ["key-secret", "key_secret", "key--secret", "-key-secret", "_key__secret"] {
        let manifest = format!("events = [\"a\"]\n[config]\n\"{key}\" = {{ secret = true }}\n");
        let error = judged(&manifest, &values).unwrap_err();
        assert!(error.contains("it has no value"), "{key}: {error}");
    }
    for name in ["one--key", "one-", "-one", "one-key--"] {
        let error = Manifest::parse(KEY, name, &terms(&values)).unwrap_err().to_string();
        assert!(error.contains("is no name"), "{name}: {error}");
    }
}

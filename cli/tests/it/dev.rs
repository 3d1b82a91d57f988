//! `dev` and its workshop: what it builds, what it takes back, what it leaves alone. A script stands in for cargo: it
//! gives each project the component that lies in it already.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tidemill_test_artifacts as artifacts;

use crate::tidemill::{Running, free_port, place, run, stderr, stdout, tidemill};

const READY_CARGO: &str = r#"printf '{"reason":"compiler-artifact","manifest_path":"%s/Cargo.toml","filenames":["%s/handler.wasm"]}\n' "$(pwd -P)" "$(pwd -P)""#;

/// Projects, data, and a cargo that runs this script.
struct Bench {
    folder: TempDir,
    port: u16,
    sink: u16,
}

impl Bench {
    fn new(cargo: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), sink: free_port() };
        fs::create_dir_all(bench.path("bin")).unwrap();
        fs::create_dir_all(bench.path("src")).unwrap();
        fs::write(bench.path("bin/cargo"), format!("#!/bin/sh\n{cargo}\n")).unwrap();
        fs::set_permissions(bench.path("bin/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn project(&self, name: &str, manifest: &str, wasm: &str) {
        fs::create_dir_all(self.path("src").join(name)).unwrap();
        fs::write(self.path("src").join(name).join("Cargo.toml"), "").unwrap();
        place(&self.path("src"), name, manifest, wasm);
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = tidemill();
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).arg(subcommand).arg(self.path("src")).args(["--output", "json"]);
        command
    }

    fn dev(&self) -> Command {
        let mut command = self.command("dev");
        for (flag, port) in [("--port", self.port), ("--broker-port", free_port()), ("--sink-port", self.sink)] {
            command.args([flag, &port.to_string()]);
        }
        command.args(["--log-format", "json", "--watch-interval", "100ms", "--data"]).arg(self.path("data"));
        command
    }

    /// Publishes straight to the host: it succeeds where a handler is done with the event.
    fn publish(&self, event_type: &str, data: &str) -> Output {
        let url = format!("http://127.0.0.1:{}/events", self.port);
        run(&["publish", "--to", &url, "--signing-key", "dev=dev", "--event-type", event_type, "--data", data])
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("never so: {what}");
}

fn process_in(file: &Path) -> Option<Pid> {
    fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok().and_then(Pid::from_raw)
}

#[test]
fn what_dev_did_not_make_stays() {
    let bench = Bench::new("exit 1");
    bench.project("rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let precious = bench.path("data/built/precious/file");
    fs::create_dir_all(precious.parent().unwrap()).unwrap();
    fs::write(&precious, "").unwrap();
    let refused = bench.dev().output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("did not put there"), "{}", stderr(&refused));
    assert!(precious.is_file());
}

#[test]
fn a_second_dev_fails_and_leaves_the_first_one_its_handlers() {
    let first = Bench::new(READY_CARGO);
    first.project("rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let running = Running::start(first.dev());
    assert_eq!(running.line("ready", |line| line["ready"] == true)["handlers"], 1);
    let second = Bench::new("exit 1");
    second.project("other", "events = [\"other\"]", artifacts::USER_NAME_CHANGED);
    let refused = second.dev().arg("--data").arg(first.path("data")).output().unwrap();
    assert_ne!(refused.status.code(), Some(0));
    assert!(first.path("data/built/rename/handler.wasm").is_file(), "{}", stderr(&refused));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_signal_during_the_first_build_ends_cargo_too() {
    let bench = Bench::new("echo $$ > pid\nexec sleep 600");
    bench.project("rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let running = Running::start(bench.dev());
    let file = bench.path("src/rename/pid");
    until("cargo runs", || process_in(&file).is_some());
    let cargo = process_in(&file).unwrap();
    assert_eq!(running.terminate(), Some(0));
    until("cargo has ended", || test_kill_process(cargo).is_err());
}

#[test]
fn new_projects_are_built_and_removed_ones_are_taken_back() {
    let bench = Bench::new(READY_CARGO);
    bench.project("rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let running = Running::start(bench.dev());
    running.line("ready", |line| line["ready"] == true);
    bench.project("second", "events = [\"second\"]", artifacts::USER_NAME_CHANGED);
    until("the new one serves", || bench.publish("second", r#"{"Name":"Ada"}"#).status.success());
    fs::remove_dir_all(bench.path("src/second")).unwrap();
    until("the removed one is taken back", || !bench.path("data/built/second").exists());
    let kept = bench.publish("user.name.changed", r#"{"Name":"Ada"}"#);
    assert!(kept.status.success(), "{}", stderr(&kept));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn the_real_handlers_reach_the_sink_on_any_port() {
    let bench = Bench::new(READY_CARGO);
    for (name, manifest, wasm) in [
        ("email-on-register", artifacts::EMAIL_ON_REGISTER_MANIFEST, artifacts::EMAIL_ON_REGISTER),
        ("push-on-like", artifacts::PUSH_ON_LIKE_MANIFEST, artifacts::PUSH_ON_LIKE),
    ] {
        bench.project(name, &fs::read_to_string(manifest).unwrap(), wasm);
    }
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-handlers/tidemill.toml");
    fs::copy(settings, bench.path("src/tidemill.toml")).unwrap();
    let running = Running::start(bench.dev());
    assert_eq!(running.line("ready", |line| line["ready"] == true)["handlers"], 2);
    for (event_type, data) in [
        ("user.registered", r#"{"id":"1","email":"ada@example.com","name":"Ada"}"#),
        ("post.liked", r#"{"post_id":"7","liked_by":"Bob","device_token":"token"}"#),
    ] {
        let done = bench.publish(event_type, data);
        assert!(done.status.success(), "{}", stderr(&done));
    }
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn build_says_what_it_built_before_one_failed() {
    let bench = Bench::new(READY_CARGO);
    bench.project("a", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    bench.project("b", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    fs::remove_file(bench.path("src/b/Cargo.toml")).unwrap();
    let output = bench.command("build").arg("--out").arg(bench.path("out")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no Cargo.toml"), "{}", stderr(&output));
    let shown: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((shown["built"].as_array().unwrap().len(), &shown["built"][0]["handler"]), (1, &"a".into()));
}

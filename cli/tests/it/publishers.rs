//! The publishers in other languages, run as they stand: they sign what the vectors have, and a host that accepts
//! nothing but v2 takes what they publish.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tidemill_test_artifacts as artifacts;

use crate::tidemill::{Running, free_port, place, stderr, stdout, tidemill};

const VECTORS: &str = include_str!("../../../events/tests/vectors/signature-v2.json");

/// A language that there is a publisher in.
struct Language {
    /// What runs it.
    program: &'static str,
    /// The publisher, in `examples/publishers`.
    publisher: &'static str,
    /// The arguments with which `program` signs the cases in the file `CASES` by the publisher's own function.
    sign: &'static [&'static str],
}

const PYTHON: Language = Language {
    program: "python3",
    publisher: "python/publish.py",
    sign: &[
        "-B", // no folder `__pycache__` beside the publisher
        "-c",
        r#"
import base64, json, os, sys
sys.path.insert(0, os.path.dirname(os.environ["PUBLISHER"]))
from publish import sign
with open(os.environ["CASES"]) as cases:
    messages = [sign(c["id"], c["secret"], c["attributes"], base64.b64decode(c["data"])) for c in json.load(cases)]
print(json.dumps(messages))
"#,
    ],
};

const JAVASCRIPT: Language = Language {
    program: "node",
    publisher: "javascript/publish.mjs",
    sign: &[
        "--input-type=module",
        "--eval",
        r#"
import { readFileSync } from "node:fs";
const { sign } = await import(process.env.PUBLISHER);
const cases = JSON.parse(readFileSync(process.env.CASES));
const messages = cases.map((c) => sign(c.id, c.secret, c.attributes, Buffer.from(c.data, "base64")));
console.log(JSON.stringify(messages));
"#,
    ],
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Whether a program is there. Where it isn't, the test should return: this has said by name that it is skipped, or
/// has failed it where `CI` is `true`.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} doesn't run in CI");
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a test");
        // Not eprintln, which the test harness captures.
        _ = writeln!(std::io::stderr(), "SKIPPED {program}: {name}: it is not on PATH");
    }
    found
}

impl Language {
    fn publisher(&self) -> PathBuf {
        root().join("examples/publishers").join(self.publisher)
    }

    fn publish(&self, key: &str, url: &str) -> Output {
        let mut command = Command::new(self.program);
        command.arg(self.publisher()).args([url, "user.name.changed", r#"{"Name":"Zoë"}"#]).env("KEY", key);
        // A proxy of the machine's own has no part in this.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").output().unwrap()
    }

    fn signs_as_the_vectors_have_it(&self) {
        if !installed(self.program) {
            return;
        }
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let (cases, expected): (Vec<_>, Vec<_>) =
            vectors["cases"].as_array().unwrap().iter().filter_map(to_sign).unzip();
        assert!(cases.len() >= 20, "only {} cases", cases.len());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(json!(cases).to_string().as_bytes()).unwrap();
        let mut command = Command::new(self.program);
        command.args(self.sign).env("PUBLISHER", self.publisher()).env("CASES", file.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let signed: Vec<Value> = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!(signed.len(), expected.len());
        for (signed, expected) in signed.iter().zip(expected) {
            let name = &expected["name"];
            let message = &expected["envelope"]["message"];
            assert_eq!(signed["data"], message["data"], "case {name}");
            for (attribute, value) in message["attributes"].as_object().unwrap() {
                assert_eq!(&signed["attributes"][attribute], value, "case {name}: {attribute}");
            }
        }
    }

    fn publishes_to_a_host_that_accepts_v2_alone(&self) {
        if !installed(self.program) {
            return;
        }
        let handlers = tempfile::tempdir().unwrap();
        place(handlers.path(), "rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
        let port = free_port().to_string();
        let mut serve = tidemill();
        serve.args(["serve", "--port", &port, "--address", "127.0.0.1", "--auth", "none", "--accept", "v2"]);
        serve.args(["--signing-key", "k1=s3cret", "--log-format", "json", "--handlers"]).arg(handlers.path());
        let host = Running::start(serve);
        host.line("serving", |line| line["handlers"] == 1);
        let url = format!("http://127.0.0.1:{port}/events");

        let published = self.publish("k1=s3cret", &url);
        assert!(published.status.success(), "{}", stderr(&published));
        let told = host.line("what the handler says", |line| line["stream"] == "stdout");
        assert!(told["message"].as_str().unwrap().contains("Zoë"), "{told}");
        let done = host.line("done", |line| line["outcome"] == "done");
        assert_eq!(done["event_id"], stdout(&published).trim(), "{done}");

        for (key, code) in [("k1=other", "invalid-signature"), ("k9=s3cret", "unknown-key")] {
            let refused = self.publish(key, &url);
            assert!(!refused.status.success(), "{key} was taken");
            assert!(stderr(&refused).contains(code), "{key}: {}", stderr(&refused));
            host.line(code, |line| {
                assert!(line["stream"].is_null(), "a handler ran: {line}");
                line["outcome"] == "refused" && line["code"] == code
            });
        }
        assert_eq!(host.terminate(), Some(0));
    }
}

/// What a publisher is given to come to this case, where it can: the case is a good one, of one key, and has an ordering
/// key where a publisher puts it.
fn to_sign(case: &Value) -> Option<(Value, &Value)> {
    let message = &case["envelope"]["message"];
    let mut attributes = message["attributes"].as_object()?.clone();
    let signature = attributes.remove("signature-v2")?;
    let v1_is_wrong_on_purpose = attributes.remove("signature").is_some_and(|v1| v1 == "00");
    let entry: Vec<_> = signature.as_str()?.split(',').collect();
    let delivered_by_another = message["orderingKey"].as_str().is_some_and(|key| !key.is_empty())
        && attributes.get("ordering-key") != message.get("orderingKey");
    if case["expect"] != "valid" || entry.len() != 3 || v1_is_wrong_on_purpose || delivered_by_another {
        return None;
    }
    let secret = &case["keys"][entry[1]];
    Some((json!({ "id": entry[1], "secret": secret, "attributes": attributes, "data": message["data"] }), case))
}

#[test]
fn the_python_publisher_signs_as_the_vectors_have_it() {
    PYTHON.signs_as_the_vectors_have_it();
}

#[test]
fn the_javascript_publisher_signs_as_the_vectors_have_it() {
    JAVASCRIPT.signs_as_the_vectors_have_it();
}

#[test]
fn the_python_publisher_publishes_to_a_host_that_accepts_v2_alone() {
    PYTHON.publishes_to_a_host_that_accepts_v2_alone();
}

#[test]
fn the_javascript_publisher_publishes_to_a_host_that_accepts_v2_alone() {
    JAVASCRIPT.publishes_to_a_host_that_accepts_v2_alone();
}

#[test]
fn the_vectors_are_what_their_script_writes() {
    if !installed("python3") {
        return;
    }
    let output = Command::new("python3").arg(root().join("events/tests/vectors/generate_v2.py")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output) == VECTORS, "run generate_v2.py > signature-v2.json again, and look at what it changes");
}

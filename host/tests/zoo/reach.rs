//! Animals that want to get where they have no business: to the metadata server, and to what is others'.

use serde_json::{Value, json};
use tidemill_test_artifacts::{KEY_VALUE, SCRIPTED};

use crate::animals::Animal;
use crate::common::wasm;
use crate::component;
use crate::scene::{METADATA_NAME, SECRET, Urls};
use crate::support::get;

/// What a metadata server is asked for first.
const PATH: &str = "/computeMetadata/v1/";
/// What the log says of a request that is not sent to one.
const CLOSED: &[&str] = &["refused an outgoing request", "which no handler may reach"];
/// What it says of one whose address no manifest can list.
const UNLISTED: &[&str] = &["refused an outgoing request", "doesn't list this origin"];
/// The same as for one that is listed, after a redirect.
const REDIRECTED: &[&str] = &["302 ", "refused an outgoing request", "which no handler may reach"];
/// What it says of an address in a form that only some understand.
const NO_ADDRESS: &[&str] = &["refused an outgoing request", "ends in a number"];
/// What a server, had it been reached, would have had printed.
const REACHED: &[&str] = &["200 "];

/// One that sends requests, and may send them to these origins.
fn sender(name: &'static str, tries: &'static str, origins: &[&str], steps: Value, code: &'static str) -> Animal {
    let permissions = format!("http = {}", json!(origins));
    let (wasm, data) = (wasm(SCRIPTED), steps.to_string());
    Animal { name, tries, limits: "", permissions, wasm, data, code, told: &[], untold: REACHED }
}

/// Asks a metadata server, once.
fn asks(name: &'static str, tries: &'static str, origin: &str, told: &'static [&'static str]) -> Animal {
    // A form that no manifest may list is asked for without being listed.
    let listed = if told == CLOSED { origin } else { "http://api.example" };
    Animal { told, ..sender(name, tries, &[listed], json!([get(format!("{origin}{PATH}"))]), "retry") }
}

fn metadata(urls: &Urls) -> Vec<Animal> {
    let named = format!("http://{METADATA_NAME}");
    let redirected = json!([get(&urls.redirect), get(format!("{named}{PATH}"))]);
    vec![
        asks("metadata-by-address", "asks 169.254.169.254", "http://169.254.169.254", UNLISTED),
        asks("metadata-in-decimal", "asks 2852039166", "http://2852039166", NO_ADDRESS),
        asks("metadata-in-hex", "asks 0xa9fea9fe", "http://0xa9fea9fe", NO_ADDRESS),
        asks("metadata-by-name", "asks a name of its own that resolves to 169.254.169.254", &named, CLOSED),
        asks("metadata-mapped", "asks ::ffff:169.254.169.254", "http://[::ffff:169.254.169.254]", UNLISTED),
        Animal {
            told: REDIRECTED,
            ..sender(
                "metadata-by-redirect",
                "has a server of its own redirect it to a name that resolves to 169.254.169.254",
                &[&urls.redirect, &named],
                redirected,
                "retry",
            )
        },
    ]
}

fn servers(urls: &Urls) -> Vec<Animal> {
    vec![
        Animal {
            limits: "deadline = \"300ms\"",
            ..sender(
                "slow-drip",
                "has a server of its own answer with a byte now and again",
                &[&urls.drip],
                json!([get(&urls.drip)]),
                "deadline",
            )
        },
        Animal {
            told: &["cut an answer off"],
            ..sender(
                "response-bomb",
                "has a server of its own answer without an end",
                &[&urls.bomb],
                json!([get(&urls.bomb)]),
                "retry",
            )
        },
    ]
}

fn others() -> Vec<Animal> {
    let steps = json!([
        { "get": "secret" }, "keys", { "set": ["secret", "mine"] },
        { "open": "keeper" }, { "open": "../keeper" }, { "open": "keeper/default" },
    ]);
    vec![
        Animal {
            name: "reads-anothers-keys",
            tries: "asks for a key that another handler has set, and sets it, in whatever store it can name",
            limits: "",
            permissions: "key-value = [\"default\"]".into(),
            wasm: wasm(KEY_VALUE),
            data: steps.to_string(),
            code: "done",
            told: &["doesn't list this store", "no store of that name"],
            untold: &[SECRET],
        },
        Animal {
            name: "reads-anothers-memory",
            tries: "looks for another event's bytes in all that a fresh memory and a fresh table hold, and traps at the first",
            limits: "",
            permissions: String::new(),
            wasm: component::witness(),
            data: "{}".into(),
            code: "done",
            told: &[],
            untold: &[],
        },
    ]
}

/// All of them.
pub(crate) fn animals(urls: &Urls) -> Vec<Animal> {
    [metadata(urls), servers(urls), others()].into_iter().flatten().collect()
}

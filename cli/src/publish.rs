//! `tidemill publish`: signs an event and sends it.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use tidemill_events::{Key, Scheme, Schemes, Signer};
use tidemill_publisher::{Direct, EmulatorHost, PubSub, Publisher};

use crate::failure::Failure;
use crate::input;
use crate::output::say;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("publish")
        .about("Signs an event and sends it to Pub/Sub, to its emulator, or straight to a host")
        .arg(
            Arg::new("topic")
                .long("topic")
                .value_name("projects/P/topics/T")
                .help("The topic; through Pub/Sub, or through the emulator where PUBSUB_EMULATOR_HOST is set"),
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("URL")
                .conflicts_with("topic")
                .help("A host's own URL, such as http://127.0.0.1:8080/events, without a broker between"),
        )
        .arg(
            Arg::new("emulator-host")
                .long("emulator-host")
                .value_name("HOST:PORT")
                .help("The emulator, or `tidemill dev` [PUBSUB_EMULATOR_HOST]"),
        )
        .arg(
            Arg::new("signing-key")
                .long("signing-key")
                .value_name("ID=SECRET")
                .help("The key to sign with [TIDEMILL_SIGNING_KEYS, of which the first]"),
        )
        .arg(
            Arg::new("sign")
                .long("sign")
                .value_name("v2|v1|both")
                .value_parser(["v2", "v1", "both"])
                .default_value("both")
                .help("The signature schemes to sign by"),
        )
        .args(input::event_flags())
        .arg(crate::output_flag())
        .after_help(
            "Example: tidemill publish --to http://127.0.0.1:8080/events --signing-key k1=s3cret \\\n           \
             --event-type user.name.changed --data '{\"Name\":\"new-name\"}'",
        )
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches, variables: &[(String, String)]) -> Result<ExitCode, Failure> {
    let event = input::event(flags)?;
    let variable =
        |name: &str| variables.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.clone());
    let schemes = match flags.get_one::<String>("sign").map(String::as_str) {
        Some("v1") => Schemes::Only(Scheme::V1),
        Some("v2") => Schemes::Only(Scheme::V2),
        _ => Schemes::Both,
    };
    let signer = Signer::new(signing_key(flags, variable("TIDEMILL_SIGNING_KEYS"))?).schemes(schemes);
    let emulator = flags.get_one::<String>("emulator-host").cloned().or_else(|| variable("PUBSUB_EMULATOR_HOST"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let message_id = runtime.block_on(async {
        let publisher = publisher(flags, signer, emulator).await?;
        publisher.publish(&event).await.map_err(|error| Failure::Failed(error.into()))
    })?;
    if crate::wants_json(flags) {
        say(json!({ "message_id": message_id.as_str(), "event_id": event.id, "event_type": event.event_type }));
    } else {
        say(format_args!("published {} as message {message_id} (event id {})", event.event_type, event.id));
    }
    Ok(ExitCode::SUCCESS)
}

async fn publisher(
    flags: &ArgMatches,
    signer: Signer,
    emulator: Option<String>,
) -> Result<Box<dyn Publisher>, Failure> {
    if let Some(url) = flags.get_one::<String>("to") {
        let url = url.parse().map_err(|error| Failure::misused(format!("--to: {error}")))?;
        return Ok(Box::new(Direct::new(url, signer)));
    }
    let topic = flags
        .get_one::<String>("topic")
        .ok_or_else(|| Failure::misused("where to? Give --topic projects/P/topics/T, or --to URL for a host"))?
        .parse()
        .map_err(|error| Failure::misused(format!("--topic: {error}")))?;
    let emulator = emulator
        .map(|text| text.parse::<EmulatorHost>())
        .transpose()
        .map_err(|error| Failure::misused(format!("--emulator-host: {error}")))?;
    let publisher = PubSub::builder(topic, signer).emulator(emulator).build().await.map_err(anyhow::Error::from)?;
    Ok(Box::new(publisher))
}

fn signing_key(flags: &ArgMatches, variable: Option<String>) -> Result<Key, Failure> {
    let (text, source) = match (flags.get_one::<String>("signing-key").cloned(), variable) {
        (Some(text), _) => (text, "--signing-key"),
        (None, Some(text)) => (text.split(',').next().unwrap_or_default().to_owned(), "TIDEMILL_SIGNING_KEYS"),
        (None, None) => {
            return Err(Failure::misused(
                "there is no key to sign with: give --signing-key ID=SECRET or TIDEMILL_SIGNING_KEYS",
            ));
        }
    };
    text.parse().map_err(|error| Failure::misused(format!("{source}: {error}")))
}

//! An event from the command line, for `publish` and `invoke`.

use std::collections::BTreeMap;
use std::io::Read;

use clap::{Arg, ArgAction, ArgMatches};
use tidemill_events::Event;

use crate::failure::Failure;

/// The flags that make an event.
pub(crate) fn event_flags() -> [Arg; 6] {
    [
        Arg::new("event-type").long("event-type").value_name("TYPE").help("What happened, such as user.registered"),
        Arg::new("data")
            .long("data")
            .value_name("TEXT|@FILE|-")
            .default_value("{}")
            .help("The event's data: a text, the content of a file, or - for standard input"),
        Arg::new("content-type")
            .long("content-type")
            .value_name("TYPE")
            .default_value("application/json")
            .help("The media type of the data; JSON is checked before it is sent"),
        Arg::new("attribute")
            .long("attribute")
            .value_name("NAME=VALUE")
            .action(ArgAction::Append)
            .help("A further attribute; may be given more than once"),
        Arg::new("ordering-key")
            .long("ordering-key")
            .value_name("KEY")
            .help("Events with one key are delivered in order"),
        Arg::new("event-id").long("event-id").value_name("ID").help("The event's own id [default: a new UUIDv7]"),
    ]
}

/// The event that the flags describe.
pub(crate) fn event(flags: &ArgMatches) -> Result<Event, Failure> {
    let text = |name: &str| flags.get_one::<String>(name).cloned();
    let event_type = text("event-type")
        .ok_or_else(|| Failure::misused("--event-type is missing; give one such as user.registered"))?;
    let data = data(&text("data").unwrap_or_default())?;
    let content_type = text("content-type").filter(|content_type| !content_type.is_empty());
    if content_type.as_deref() == Some("application/json") {
        serde_json::from_slice::<serde::de::IgnoredAny>(&data).map_err(|error| {
            Failure::misused(format!("--data is no JSON: {error}; for other data give its --content-type"))
        })?;
    }
    let mut event = tidemill_publisher::new_event(event_type, &serde_json::Value::Null);
    event.data = data;
    event.content_type = content_type;
    event.ordering_key = text("ordering-key");
    event.attributes = attributes(flags)?;
    if let Some(id) = text("event-id") {
        event.id = id;
    }
    Ok(event)
}

fn attributes(flags: &ArgMatches) -> Result<BTreeMap<String, String>, Failure> {
    let given = flags.get_many::<String>("attribute").into_iter().flatten();
    given
        .map(|text| {
            let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
            let (name, value) = pair.ok_or_else(|| {
                Failure::misused(format!("--attribute {text:?}: write NAME=VALUE, such as tenant=acme"))
            })?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn data(text: &str) -> Result<Vec<u8>, Failure> {
    if text == "-" {
        let mut data = Vec::new();
        std::io::stdin()
            .read_to_end(&mut data)
            .map_err(|error| anyhow::anyhow!("standard input can't be read: {error}"))?;
        return Ok(data);
    }
    match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read(path).map_err(|error| Failure::misused(format!("--data @{path}: it can't be read: {error}")))
        }
        None => Ok(text.as_bytes().to_vec()),
    }
}

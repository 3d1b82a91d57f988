//! `tidemill invoke`: runs one event through one component, here and now.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_events::{Delivery, Envelope, Received};
use tidemill_host::config::{Sources, handler_value_flags};
use tidemill_host::outcome::Outcome;
use tidemill_host::publishing::{Cause, Publication};
use tidemill_host::registry::{Artifact, Handler};
use tidemill_host::runtime::{Captured, Ending, Invocation, Line, OutputSink, Surroundings, ThisMachine};

use crate::build::{runtime, terms};
use crate::failure::Failure;
use crate::input;
use crate::output::{printable, say};

/// Events that a handler may publish here: what a host allows where nothing sets it.
pub(crate) const MOST: u32 = 1000;

/// This machine, as an origin may name it: what handlers may reach where commands run on one machine.
pub(crate) const LOOPBACK: &str = "127.0.0.1,localhost,[::1]";

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("invoke")
        .about("Runs one event through one component, here and now, and shows its outcome, log, time and memory, and what it would publish")
        .arg(
            Arg::new("handler")
                .value_name("HANDLER")
                .required(true)
                .help("A folder with handler.toml and handler.wasm, or a component's file (the handler.toml beside it counts)"),
        )
        .arg(
            Arg::new("event")
                .long("event")
                .value_name("FILE")
                .conflicts_with_all(input::event_flags().iter().map(Arg::get_id))
                .help("The body of a push request, as a file; its signature is not checked"),
        )
        .args(input::event_flags())
        .args(handler_value_flags())
        .arg(Arg::new("config").long("config").value_name("FILE").help("Configuration file, for its [handler-config]"))
        .args(outgoing_flags())
        .arg(crate::output_flag())
        .after_help("Example: tidemill invoke ./handlers/user-name-changed --event-type user.name.changed --data '{\"Name\":\"Ada\"}'")
}

/// The settings of the host that matter to a handler's requests.
fn outgoing_flags() -> [Arg; 2] {
    [
        Arg::new("allow-private")
            .long("allow-private")
            .value_name("HOST[:PORT]")
            .action(clap::ArgAction::Append)
            .help("Host in a private network that the handler may reach if its handler.toml lists it; may be given more than once [default: 127.0.0.1, localhost, [::1]]"),
        Arg::new("outgoing-ca")
            .long("outgoing-ca")
            .value_name("FILE")
            .help("PEM file of root certificates that the handler's requests trust beside the system's"),
    ]
}

/// Runs the command: exit code 0 where the handler finished, else 1.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let received = received(flags)?;
    let mut sources = Sources::gather(flags, variables, Path::new("."));
    // Here and now means on this machine.
    sources.default_to("allow-private", LOOPBACK);
    let outgoing = sources.outgoing().map_err(Failure::misused)?;
    let path = PathBuf::from(flags.get_one::<String>("handler").map(String::as_str).unwrap_or_default());
    let (name, artifact) = read(&path, &received.event.event_type).map_err(Failure::misused)?;
    let runtime = runtime(&outgoing)?;
    let handler = artifact
        .load(&runtime, &name, &terms(sources.handler_values.clone()))
        .map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
    let event_type = &received.event.event_type;
    if !handler.events.contains(event_type) {
        let events = handler.events.join(", ");
        return Err(Failure::misused(format!(
            "{}: it doesn't serve {event_type:?}; its handler.toml lists {events}",
            path.display()
        )));
    }
    let captured = Arc::new(Captured::default());
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let sink = Arc::clone(&captured) as Arc<dyn OutputSink>;
    let surroundings = Surroundings { sink, machine: Arc::new(ThisMachine::new(now)) };
    let cause = Some(Cause::of(&received, &handler.name, None, MOST));
    let run = handler.component.invoke(&received, cause, &handler.grant, handler.deadline, &surroundings);
    let invocation = executor.block_on(run);
    Ok(show(flags, &handler, invocation, &captured))
}

/// The event to run: a recorded delivery, or one of the flags.
fn received(flags: &ArgMatches) -> Result<Received, Failure> {
    let Some(path) = flags.get_one::<String>("event") else {
        let message_id = format!("invoke-{}", uuid::Uuid::now_v7());
        let delivery = Delivery { message_id, ..Delivery::default() };
        return Ok(Received::unverified(input::event(flags)?, delivery));
    };
    let body =
        std::fs::read(path).map_err(|error| Failure::misused(format!("--event {path}: it can't be read: {error}")))?;
    let envelope = Envelope::decode(&body).map_err(|error| Failure::misused(format!("--event {path}: {error}")))?;
    envelope
        .into_unverified(now())
        .ok_or_else(|| Failure::misused(format!("--event {path}: the message has no attribute `event-type`")))
}

#[expect(clippy::disallowed_methods, reason = "the time of a trial run is now")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The artifact at `path` and the name that it goes by. A component without a manifest may do nothing but compute.
fn read(path: &Path, event_type: &str) -> anyhow::Result<(String, Artifact)> {
    let (folder, wasm) = if path.is_dir() {
        (path.to_owned(), path.join("handler.wasm"))
    } else {
        (path.parent().unwrap_or(Path::new("")).to_owned(), path.to_owned())
    };
    let name_of = if path.is_dir() { path } else { Path::new(path.file_stem().unwrap_or_default()) };
    let absolute = std::path::absolute(name_of)?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy().replace('_', "-").to_ascii_lowercase();
    let wasm = std::fs::read(&wasm)
        .with_context(|| format!("{}: it can't be read; `tidemill build` makes it", wasm.display()))?;
    let manifest = match std::fs::read(folder.join("handler.toml")) {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("events = [{event_type:?}]\n").into_bytes()
        }
        Err(error) => anyhow::bail!("{}: it can't be read: {error}", folder.join("handler.toml").display()),
    };
    Ok((name, Artifact { manifest, wasm }))
}

fn show(flags: &ArgMatches, handler: &Handler, invocation: Invocation, captured: &Captured) -> ExitCode {
    let Invocation { ending, elapsed, peak_memory, publications, refusals: _, handled_before: _ } = invocation;
    let done = ending == Ending::Done;
    let answer = Outcome::Ran(ending).answer();
    let lines = captured.take();
    let millis = elapsed.as_secs_f64() * 1e3;
    if crate::wants_json(flags) {
        let log: Vec<_> = lines.iter().map(logged).collect();
        say(json!({
            "handler": handler.name,
            "artifact": handler.digest.to_string(),
            "interface": handler.component.interface().to_string(),
            "outcome": answer.outcome,
            "code": answer.code,
            "reason": answer.reason,
            "retry_after_ms": answer.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            "log": log,
            "published": publications.iter().map(published).collect::<Vec<_>>(),
            "elapsed_ms": millis,
            "memory_bytes": peak_memory,
        }));
    } else {
        for line in lines {
            say(format_args!("| {}", printable(&line.text)));
        }
        for publication in &publications {
            let data = String::from_utf8_lossy(&publication.event().data);
            say(format_args!("> would publish {publication}: {}", printable(&data)));
        }
        let reason = if answer.reason.is_empty() { String::new() } else { format!(": {}", printable(&answer.reason)) };
        let after = answer.retry_after.map(|after| format!(" (again after {after:?})")).unwrap_or_default();
        say(format_args!("{}{reason}{after}", answer.outcome));
        say(format_args!("{millis:.2} ms, {} KiB of memory, {}@{}", peak_memory >> 10, handler.name, handler.digest));
    }
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line of a handler's, as data.
pub(crate) fn logged(line: &Line) -> Value {
    let mut shown = json!({ "stream": line.stream.name(), "text": line.text });
    if let (Some(context), Some(fields)) = (&line.context, shown.as_object_mut()) {
        fields.insert("level".into(), format!("{:?}", line.level).to_ascii_lowercase().into());
        fields.insert("context".into(), context.as_str().into());
    }
    shown
}

/// An event that a host would send. Data that is no text is shown with U+FFFD in place of what isn't.
fn published(publication: &Publication) -> Value {
    let event = publication.event();
    json!({
        "id": event.id,
        "event_type": event.event_type,
        "content_type": event.content_type,
        "ordering_key": event.ordering_key,
        "attributes": event.attributes,
        "data": String::from_utf8_lossy(&event.data),
    })
}

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::{KEY, TOPIC};
use crate::output::say;

/// What `dev` says once it is ready: where everything is.
pub(super) struct Banner<'a> {
    pub(super) host: SocketAddr,
    pub(super) broker: SocketAddr,
    pub(super) sink: SocketAddr,
    pub(super) dead_letter: &'a Path,
    pub(super) handlers: usize,
}

impl Banner<'_> {
    /// To standard output: for people, or as one JSON line.
    pub(super) fn show(&self, as_json: bool) {
        let Self { host, broker, sink, dead_letter, handlers } = self;
        let dead_letter = dead_letter.display();
        if as_json {
            say(json!({
                "ready": true, "handlers": handlers, "events_url": format!("http://{host}/events"),
                "broker": broker.to_string(), "sink": sink.to_string(),
                "topic": TOPIC, "dead_letter": dead_letter.to_string(),
            }));
            return;
        }
        say(format_args!(
            "\n  tidemill dev is ready, {handlers} handlers\n\n    \
             publish to     PUBSUB_EMULATOR_HOST={broker}, topic {TOPIC} (any topic will do)\n    \
             or directly    http://{host}/events\n    \
             sign with      {KEY}, unless you gave another key\n    \
             mail and push  http://{sink}/\n    \
             dead letters   {dead_letter}\n\n    \
             try: tidemill publish --emulator-host {broker} --topic {TOPIC} --signing-key {KEY} \\\n           \
             --event-type user.name.changed --data '{{\"Name\":\"Ada\"}}'\n"
        ));
    }
}

//! `[permissions]` of a `handler.toml`: what the handler asks to do, and whether the operator lets it.

use serde::Deserialize;
use tidemill_events::limits::VALUE_BYTES;
use toml::Spanned;

use super::manifest::unnameable;
use super::problem::Problems;
use crate::config::Allowance;
use crate::key_value::{Space, StoreName};
use crate::outgoing::OriginPattern;
use crate::runtime::Configuration;

/// The table as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PermissionsText {
    #[serde(default)]
    http: Vec<Spanned<String>>,
    #[serde(default)]
    key_value: Vec<Spanned<String>>,
    #[serde(default)]
    publish: Vec<Spanned<String>>,
}

impl PermissionsText {
    /// The origins that it may reach. What is wrong or not allowed is noted, and left out.
    pub(super) fn http(
        &self,
        config: &Configuration,
        allowance: &Allowance<'_>,
        problems: &mut Problems<'_>,
    ) -> Vec<OriginPattern> {
        let mut judge = |entry: &Spanned<String>| {
            let origin = origin(entry.get_ref(), config).and_then(|origin| match origin.closed() {
                Some(kind) => Err(format!("it asks for {origin}, {kind}, which no handler may reach")),
                None if allowance.http(&origin) => Ok(origin),
                None => Err(ungranted(allowance, &origin.to_string(), "http", &origin.to_string())),
            });
            // An origin may come from a value.
            origin.map_err(|problem| problems.note_at(entry, "permissions.http", config.hide(&problem))).ok()
        };
        self.http.iter().filter_map(&mut judge).collect()
    }

    /// The stores that it may keep values in. What is wrong or not allowed is noted, and left out.
    pub(super) fn key_value(&self, allowance: &Allowance<'_>, problems: &mut Problems<'_>) -> Vec<Space> {
        let mut judge = |entry: &Spanned<String>| {
            let store = entry.get_ref();
            let space = match store.parse::<StoreName>() {
                Err(error) => Err(format!("{store:?}: {error}")),
                Ok(name) if allowance.key_value(store) => Ok(Space::new(allowance.handler(), name)),
                Ok(_) => Err(ungranted(allowance, &format!("the store {store:?}"), "key-value", store)),
            };
            space.map_err(|problem| problems.note_at(entry, "permissions.key-value", problem)).ok()
        };
        self.key_value.iter().filter_map(&mut judge).collect()
    }

    /// The event types that it may publish. What is wrong or not allowed is noted, and left out.
    pub(super) fn publish(&self, allowance: &Allowance<'_>, problems: &mut Problems<'_>) -> Vec<String> {
        let mut judge = |entry: &Spanned<String>| {
            let event_type = entry.get_ref();
            let problem = match event_type.len() {
                _ if unnameable(event_type).is_some() => unnameable(event_type).unwrap_or_default(),
                1..=VALUE_BYTES if allowance.publish(event_type) => return Some(event_type.clone()),
                1..=VALUE_BYTES => {
                    ungranted(allowance, &format!("the right to publish {event_type:?}"), "publish", event_type)
                }
                length => format!("an event type has 1 to {VALUE_BYTES} bytes, and this has {length}"),
            };
            problems.note_at(entry, "permissions.publish", problem);
            None
        };
        self.publish.iter().filter_map(&mut judge).collect()
    }
}

/// What to tell who asks for what no rule allows.
pub(super) fn ungranted(allowance: &Allowance<'_>, asked: &str, kind: &str, value: &str) -> String {
    format!(
        "it asks for {asked}, which this host doesn't grant it (setting `grants`): to allow it, add the rule \
         '{} {kind}={value}'",
        allowance.handler()
    )
}

fn origin(entry: &str, config: &Configuration) -> Result<OriginPattern, String> {
    let url = match entry.strip_prefix("config:") {
        None => entry,
        Some(key) => config.get(key).ok_or_else(|| {
            format!("{entry:?} names the configuration key `{key}`, which has no value under [config]")
        })?,
    };
    // A value may hold a password, an entry of the manifest's own doesn't.
    url.parse().map_err(|error| {
        format!(
            "{entry:?} names no origin: {error}; write a scheme and a host, such as https://api.example.com, \
             https://*.example.com or http://127.0.0.1:8025"
        )
    })
}

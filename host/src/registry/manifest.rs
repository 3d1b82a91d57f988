//! `handler.toml`: what a handler serves and what it asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::limits::LimitsText;
use crate::config::{HandlerValues, Quota};
use crate::key_value::{Space, StoreName};
use crate::outgoing::OriginPattern;
use crate::runtime::Grant;

/// A handler's manifest, read and judged.
#[derive(Debug)]
pub struct Manifest {
    /// The handler's name.
    pub name: String,
    /// The event types that it serves, at least one.
    pub events: Vec<String>,
    /// How long one event may take.
    pub deadline: Duration,
    /// What it may have and do.
    pub grant: Grant,
}

/// Why a manifest can't be used. The sentence names the field.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is no manifest: no TOML, an unknown field, a missing one.
    #[error("handler.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key has no value, and only the operator can give it one.
    #[error(
        "handler.toml, field `config.{key}`: it has no value: give it with the variable {}, with \
         --handler-config {handler}.{key}=VALUE, or in tidemill.toml under [handler-config.{handler}]",
        HandlerValues::variable(handler, key)
    )]
    Missing {
        /// The handler.
        handler: String,
        /// The key.
        key: String,
    },
    /// A field has a value that can't be used.
    #[error("handler.toml, field `{field}`: {problem}")]
    Field {
        /// The field, with dots.
        field: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: Option<String>,
    events: Vec<String>,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    permissions: PermissionsText,
    #[serde(default)]
    config: BTreeMap<String, ConfigText>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PermissionsText {
    #[serde(default)]
    http: Vec<String>,
    #[serde(default, rename = "key-value")]
    key_value: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ConfigText {
    Default(String),
    Declared(Declaration),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    required: bool,
}

pub(super) fn field(field: impl Into<String>, problem: impl ToString) -> ManifestError {
    ManifestError::Field { field: field.into(), problem: problem.to_string() }
}

impl ManifestError {
    /// A handler asks for a store where the host has none.
    pub(super) fn no_key_value() -> Self {
        field(
            "permissions.key-value",
            "it asks for a store, and this host has none (setting `key-value`): set that to memory, disk:FILE or a \
             Redis server's URL",
        )
    }
}

impl Manifest {
    /// Reads a manifest. `folder` names the handler where the manifest doesn't; `values` are the operator's.
    ///
    /// # Errors
    /// Where it is of another form, asks for more than `quota`, or lacks a value that it requires.
    pub fn parse(text: &str, folder: &str, values: &HandlerValues, quota: Quota) -> Result<Self, ManifestError> {
        let text: Text = toml::from_str(text)?;
        let name = text.name.unwrap_or_else(|| folder.to_owned());
        if !is_name(&name) {
            return Err(field(
                "name",
                format!("{name:?} is no name: use a-z, 0-9 and `-`, at most 63, a letter or digit first"),
            ));
        }
        if text.events.is_empty() || text.events.iter().any(String::is_empty) {
            return Err(field(
                "events",
                "list at least one event type, such as [\"user.registered\"], none of them empty",
            ));
        }
        let (deadline, limits) = text.limits.judge(quota)?;
        let config = resolve_config(&name, text.config, values)?;
        let http = text.permissions.http.iter().map(|entry| origin(entry, &config)).collect::<Result<_, _>>()?;
        let key_value = text.permissions.key_value.iter().map(|store| space(&name, store)).collect::<Result<_, _>>()?;
        Ok(Self { name, events: text.events, deadline, grant: Grant { limits, http, key_value, config } })
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn resolve_config(
    name: &str,
    declared: BTreeMap<String, ConfigText>,
    values: &HandlerValues,
) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut config = BTreeMap::new();
    for (key, declaration) in declared {
        let value = match (values.get(name, &key), declaration) {
            (Some(value), _) => value.to_owned(),
            (None, ConfigText::Default(value)) => value,
            (None, ConfigText::Declared(Declaration { required: false })) => continue,
            (None, ConfigText::Declared(Declaration { required: true })) => {
                return Err(ManifestError::Missing { handler: name.to_owned(), key });
            }
        };
        config.insert(key, value);
    }
    if let Some(key) = values.keys(name).find(|key| !config.contains_key(*key)) {
        let problem = format!("the host's configuration gives a value for `{key}`, which the handler doesn't declare");
        return Err(field(format!("config.{key}"), problem));
    }
    Ok(config)
}

fn space(handler: &str, store: &str) -> Result<Space, ManifestError> {
    let name: Result<StoreName, _> = store.parse();
    let name = name.map_err(|error| field("permissions.key-value", format!("{store:?}: {error}")))?;
    Ok(Space::new(handler, name))
}

fn origin(entry: &str, config: &BTreeMap<String, String>) -> Result<OriginPattern, ManifestError> {
    let url = match entry.strip_prefix("config:") {
        None => entry,
        Some(key) => config.get(key).ok_or_else(|| {
            field(
                "permissions.http",
                format!("{entry:?} names the configuration key `{key}`, which has no value under [config]"),
            )
        })?,
    };
    // A value may hold a password, an entry of the manifest's own doesn't.
    url.parse().map_err(|error| {
        field(
            "permissions.http",
            format!(
                "{entry:?} names no origin: {error}; write a scheme and a host, such as https://api.example.com, \
                 https://*.example.com or http://127.0.0.1:8025"
            ),
        )
    })
}

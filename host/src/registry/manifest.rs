//! `handler.toml`: what a handler serves and what it asks for.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::instances::InstancesText;
use super::limits::LimitsText;
use super::permissions::PermissionsText;
use super::problem::{FieldProblem, Problems};
use super::values::{self, KeysText};
use crate::config::{Allowance, HandlerValueError, HandlerValues, Offers, Terms};
use crate::runtime::Grant;

/// A handler's manifest, read and judged.
#[derive(Debug)]
pub struct Manifest {
    /// The handler's name.
    pub name: String,
    /// The event types that it serves, at least one.
    pub events: Vec<String>,
    /// Whether a rule of the operator's for it alone says which these may be.
    pub entitled: bool,
    /// How long one event may take.
    pub deadline: Duration,
    /// What it may have and do.
    pub grant: Grant,
    /// What the operator should hear about its values when it is loaded.
    pub warnings: Vec<String>,
}

/// Why a manifest can't be used. The sentence names the field.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is no manifest: no TOML, an unknown field, a missing one.
    #[error("handler.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key has no value, and only the operator can give it one.
    #[error(
        "handler.toml, field `config.{key}`: it has no value: give it with the variable {variable}, in a file that the \
         variable {variable}_FILE names, with --handler-config {handler}.{key}=VALUE, or in tidemill.toml under \
         [handler-config.{handler}]",
        variable = HandlerValues::variable(handler, key)
    )]
    Missing {
        /// The handler.
        handler: String,
        /// The key.
        key: String,
    },
    /// Where a key should have its value from, there is none.
    #[error("handler.toml, field `config.{key}` of the handler {handler}: {error}")]
    Value {
        /// The handler.
        handler: String,
        /// The key.
        key: String,
        /// Why.
        error: HandlerValueError,
    },
    /// Fields have values that can't be used, or ask for what the handler can't have.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldProblem>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: Option<Spanned<String>>,
    events: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    instances: InstancesText,
    #[serde(default)]
    permissions: PermissionsText,
    #[serde(default)]
    config: KeysText,
}

impl Manifest {
    /// Reads a manifest, and judges it by the operator's terms. `folder` names the handler where the manifest doesn't.
    ///
    /// # Errors
    /// Where it is of another form, asks for what the terms don't allow, or lacks a value that it requires: all that is
    /// wrong with its fields together.
    pub fn parse(text: &str, folder: &str, terms: &Terms) -> Result<Self, ManifestError> {
        let mut problems = Problems::of(text);
        let text: Text = toml::from_str(text)?;
        let name = folder.to_owned();
        // What the operator grants and gives goes by the name, so it is the operator's to give too.
        if let Some(own) = text.name.filter(|own| *own.get_ref() != name) {
            let problem = format_args!(
                "it says {:?}, and the handler is called {name:?} here, after its folder: call the folder so, or take the \
                 line out",
                own.get_ref()
            );
            problems.note_at(&own, "name", problem);
            return Err(problems.into_error());
        }
        if !HandlerValues::is_handler(&name) {
            problems.note(
                "name",
                format_args!(
                    "{name:?} is no name: use a-z, 0-9 and single `-` between them, at most 63 characters together"
                ),
            );
            // What follows is asked by the name.
            return Err(problems.into_error());
        }
        let allowance = terms.grants.of(&name);
        let events = events(text.events, &allowance, &mut problems);
        let (deadline, limits) = text.limits.judge(terms.quota, &allowance.caps(), &mut problems);
        let (config, warnings) = values::resolve(&name, &text.config, &terms.values, &mut problems)?;
        let http = text.permissions.http(&config, &allowance, &mut problems);
        let key_value = text.permissions.key_value(&allowance, &mut problems);
        let publish = text.permissions.publish(&allowance, &mut problems);
        let reuse = text.instances.judge(&allowance, &mut problems);
        problems.none()?;
        let entitled = allowance.entitled();
        Ok(Self {
            name,
            events,
            entitled,
            deadline,
            grant: Grant { limits, http, key_value, publish, config, reuse },
            warnings,
        })
    }

    /// The same manifest, unless it asks for what the host doesn't have to offer.
    ///
    /// # Errors
    /// [`ManifestError::Fields`], which says how the host gets it.
    pub fn offered(self, offers: Offers) -> Result<Self, ManifestError> {
        let mut problems = Problems::of("");
        if !self.grant.key_value.is_empty() && !offers.key_value {
            let problem = "it asks for a store, and this host has none (setting `key-value`): set that to memory, disk:FILE \
                           or a Redis server's URL";
            problems.note("permissions.key-value", problem);
        }
        if !self.grant.publish.is_empty() && !offers.publish {
            let problem = "it asks to publish, and this host sends nothing (setting `publish-to`): set that to a topic, \
                           projects/P/topics/T, or to the URL of a host";
            problems.note("permissions.publish", problem);
        }
        problems.none().map(|()| self)
    }
}

/// The event types that it serves. What is wrong or not allowed is noted.
fn events(
    listed: Spanned<Vec<Spanned<String>>>,
    allowance: &Allowance<'_>,
    problems: &mut Problems<'_>,
) -> Vec<String> {
    if listed.get_ref().is_empty() || listed.get_ref().iter().any(|event_type| event_type.get_ref().is_empty()) {
        let problem = "list at least one event type, such as [\"user.registered\"], none of them empty";
        problems.note_at(&listed, "events", problem);
    }
    for event_type in listed.get_ref() {
        if let Some(problem) = unnameable(event_type.get_ref()) {
            problems.note_at(event_type, "events", problem);
            continue;
        }
        if allowance.serves(event_type.get_ref()) {
            continue;
        }
        let problem = format_args!(
            "it asks to serve {:?}, and the operator's rules say which event types it may (setting `grants`): to allow \
             it, add the rule '{} events={}'",
            event_type.get_ref(),
            allowance.handler(),
            event_type.get_ref()
        );
        problems.note_at(event_type, "events", problem);
    }
    listed.into_inner().into_iter().map(Spanned::into_inner).collect()
}

/// Why no rule of the operator's could name an event type, so that no manifest may either.
pub(super) fn unnameable(event_type: &str) -> Option<String> {
    let strange = |c: char| c.is_whitespace() || c.is_control() || c == ',' || c == '*';
    event_type.contains(strange).then(|| {
        format!("{event_type:?} is no event type that can be granted: it has no space, comma, `*` or control character")
    })
}

//! `[config]` of a `handler.toml`: the keys that a handler declares, and the values that they have.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ManifestError;
use super::problem::Problems;
use crate::config::{HandlerValue, HandlerValues};
use crate::runtime::{ConfigValue, Configuration};

/// A key as it is declared.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum KeyText {
    /// By a value, which the operator may override.
    Default(String),
    /// Without a value, which only the operator has.
    Declared(Declaration),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// Whether the handler is nothing without a value: so it is unless it says otherwise.
    #[serde(default = "yes")]
    required: bool,
    /// Whether the value is hidden in all that the handler writes.
    #[serde(default)]
    secret: bool,
}

fn yes() -> bool {
    true
}

/// The keys as they are declared.
pub(super) type KeysText = BTreeMap<String, KeyText>;

/// What the declared keys of a handler have for values, and what the operator should hear about them. A value for no key
/// is noted.
///
/// # Errors
/// Where a key lacks a value that it requires, or its file gives none.
pub(super) fn resolve(
    handler: &str,
    keys: &KeysText,
    values: &HandlerValues,
    problems: &mut Problems<'_>,
) -> Result<(Configuration, Vec<String>), ManifestError> {
    let (mut resolved, mut warnings) = (Vec::new(), Vec::new());
    for (key, declared) in keys {
        let given = values.read(handler, key, |key| keys.contains_key(key)).map_err(|error| ManifestError::Value {
            handler: handler.to_owned(),
            key: key.clone(),
            error,
        })?;
        let (required, secret) = match declared {
            KeyText::Default(_) => (false, false),
            KeyText::Declared(declaration) => (declaration.required, declaration.secret),
        };
        let text = match (given, declared) {
            (Some(HandlerValue { text, on_command_line }), _) => {
                if secret && on_command_line {
                    warnings.push(format!(
                        "the secret `{key}` is given by a flag, so whoever may list this machine's processes can read \
                         it: give it with --handler-config-file or the variable {}",
                        HandlerValues::variable(handler, key)
                    ));
                }
                text
            }
            (None, KeyText::Default(value)) => value.clone().into(),
            (None, KeyText::Declared(_)) if !required => continue,
            (None, KeyText::Declared(_)) => {
                return Err(ManifestError::Missing { handler: handler.to_owned(), key: key.clone() });
            }
        };
        resolved.push((key.clone(), ConfigValue::new(text, secret)));
    }
    for key in values.keys(handler).filter(|key| !keys.contains_key(*key)) {
        let problem =
            format_args!("the host's configuration gives a value for `{key}`, which the handler doesn't declare");
        problems.note(format!("config.{key}"), problem);
    }
    let configuration: Configuration = resolved.into_iter().collect();
    warnings.extend(configuration.unhidden().map(|key| {
        format!("the secret `{key}` is too short to be told from other text, so it is not hidden in the log: give a longer one")
    }));
    Ok((configuration, warnings))
}

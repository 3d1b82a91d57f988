use std::collections::BTreeMap;

use super::handler_values::Given;
use super::settings::SETTINGS;
use super::{Problem, Setting};

/// A handler, one of its keys, and the value.
type HandlerKey = (String, String, Given);

/// What a configuration file sets, as texts.
#[derive(Default)]
pub(super) struct FileValues {
    pub(super) settings: Vec<(&'static Setting, Vec<String>)>,
    pub(super) handler_config: Vec<HandlerKey>,
}

/// Reads a configuration file's text. What is wrong goes to `problems`; the rest is still read.
pub(super) fn read(path: &str, text: &str, problems: &mut Vec<Problem>) -> FileValues {
    let mut values = FileValues::default();
    let mut problem = |setting: &str, problem: String| {
        problems.push(Problem { setting: setting.to_owned(), source: Some(format!("file {path}")), problem });
    };
    let table: BTreeMap<String, toml::Value> = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            problem("config", format!("it is no TOML: {}", toml_error(text, &error)));
            return values;
        }
    };
    for (key, value) in table {
        if key == "handler-config" {
            match handler_config(value) {
                Ok(found) => values.handler_config = found,
                Err(what) => problem(&key, what),
            }
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == key) else {
            let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            problem(&key, format!("there is no such setting; there are handler-config, {}", names.join(", ")));
            continue;
        };
        match texts(value) {
            Some(found) if setting.many || found.len() == 1 => values.settings.push((setting, found)),
            Some(_) => problem(&key, "it takes one value, not a list".into()),
            None => problem(&key, "it takes a text, a whole number, or a list of texts".into()),
        }
    }
    values
}

/// What is wrong and where, in one line and without the line itself, which may hold a secret.
fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("{} in line {line}", error.message().replace('\n', " "))
}

fn texts(value: toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(items) => items.into_iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn handler_config(value: toml::Value) -> Result<Vec<HandlerKey>, String> {
    let wrong = "it holds one table a handler, of keys and texts, or of keys and files: \
                 [handler-config.email-on-register] mail-key = \"…\", or mail-key = { file = \"/secrets/mail-key\" }";
    let toml::Value::Table(handlers) = value else { return Err(wrong.into()) };
    let mut found = Vec::new();
    for (handler, keys) in handlers {
        let toml::Value::Table(keys) = keys else { return Err(wrong.into()) };
        for (key, value) in keys {
            let value = given(value).ok_or_else(|| format!("{handler}.{key} is neither a text nor a file; {wrong}"))?;
            found.push((handler.clone(), key, value));
        }
    }
    Ok(found)
}

/// A value, or `{ file = "…" }`. A table with more in it leaves open what is meant.
fn given(value: toml::Value) -> Option<Given> {
    let toml::Value::Table(mut table) = value else { return text(value).map(Given::text) };
    match (table.remove("file"), table.is_empty()) {
        (Some(toml::Value::String(path)), true) if !path.is_empty() => Some(Given::File(path.into())),
        _ => None,
    }
}

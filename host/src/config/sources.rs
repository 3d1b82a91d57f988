use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use zeroize::Zeroize;

use super::file;
use super::handler_values::{BETWEEN, Given as GivenValue, PREFIX};
use super::settings::{PLATFORM_VARIABLES, SETTINGS};
use super::{HandlerValues, Problem, Setting, StoreVariables};

/// Where configuration is looked for when nothing names a file.
const DEFAULT_FILE: &str = "tidemill.toml";

/// Raw texts from all sources, the strongest for each setting: flags, then variables, then the file, then defaults.
#[derive(Debug, Default)]
pub struct Sources {
    values: BTreeMap<&'static str, Given>,
    /// The operator's values for handlers' configuration keys.
    pub handler_values: HandlerValues,
    /// What was wrong with the sources themselves.
    pub(super) problems: Vec<Problem>,
    /// Variables that look like settings and are none.
    pub(super) unknown_variables: Vec<String>,
    /// Variables that are there and empty, which count as if they weren't.
    pub(super) empty_variables: BTreeSet<String>,
    /// What a bucket is reached with.
    pub(super) store_variables: StoreVariables,
    /// Whether this is a service of Cloud Run's.
    pub(super) on_cloud_run: bool,
}

/// A setting's texts and where they came from. The texts are overwritten with zeros at the end: some are secrets.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) texts: Vec<String>,
    pub(super) source: String,
}

impl Drop for Given {
    fn drop(&mut self) {
        self.texts.zeroize();
    }
}

impl fmt::Debug for Given {
    /// Shows the source alone: a text may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Sources {
    /// Gathers from flags, from variables, and from the file that one of them names, else from `tidemill.toml` in
    /// `folder` where there is one. A command need not have the flags of all settings.
    #[must_use]
    pub fn gather(flags: &ArgMatches, variables: impl IntoIterator<Item = (String, String)>, folder: &Path) -> Self {
        let (empty, variables): (BTreeMap<_, _>, BTreeMap<String, String>) =
            variables.into_iter().partition(|(_, value)| value.is_empty());
        let mut sources = Self { on_cloud_run: variables.contains_key("K_SERVICE"), ..Self::default() };
        sources.empty_variables = empty.into_keys().collect();
        sources.store_variables = StoreVariables::among(variables.iter());
        // The weakest first: what comes later takes its place.
        sources.take_file(named_file(flags, &variables), folder);
        sources.take_variables(&variables);
        sources.take_flags(flags);
        sources.take_handler_flags(flags);
        sources
    }

    /// Sets what counts where no source sets it, in place of the setting's own default. A name that is no setting's is passed over.
    pub fn default_to(&mut self, name: &str, text: impl Into<String>) {
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
            let text = text.into();
            let texts = if setting.splits() { split(&text) } else { vec![text] };
            let given = Given { texts, source: "default".into() };
            self.values.entry(setting.name).or_insert(given);
        }
    }

    pub(super) fn get(&self, setting: &Setting) -> Option<Given> {
        let default = || setting.default.map(|text| Given { texts: vec![text.to_owned()], source: "default".into() });
        self.values.get(setting.name).cloned().or_else(default)
    }

    fn set(&mut self, setting: &'static Setting, texts: Vec<String>, source: String) {
        self.values.insert(setting.name, Given { texts, source });
    }

    fn problem(&mut self, setting: &str, source: impl Into<String>, problem: impl Into<String>) {
        let (source, problem) = (Some(source.into()), problem.into());
        self.problems.push(Problem { setting: setting.to_owned(), source, problem });
    }

    fn take_file(&mut self, named: Option<&String>, folder: &Path) {
        let path = named.map_or_else(|| folder.join(DEFAULT_FILE), PathBuf::from);
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => return,
            Err(error) => return self.problem("config", format!("file {shown}"), format!("it can't be read: {error}")),
        };
        let values = file::read(&shown, &text, &mut self.problems);
        for (setting, texts) in values.settings {
            // A text with commas may stand for a list here as well; a secret may hold a comma.
            let splits = setting.splits();
            let texts = if splits { texts.iter().flat_map(|text| split(text)).collect() } else { texts };
            self.set(setting, texts, format!("file {shown}"));
        }
        for (handler, key, value) in values.handler_config {
            self.handler_values.set_in_file(&handler, &key, value);
        }
    }

    fn take_variables(&mut self, variables: &BTreeMap<String, String>) {
        for (variable, name) in PLATFORM_VARIABLES {
            let setting = SETTINGS.iter().find(|setting| setting.name == *name);
            if let (Some(setting), Some(text)) = (setting, variables.get(*variable)) {
                self.set(setting, vec![text.clone()], format!("variable {variable}"));
            }
        }
        for setting in SETTINGS {
            if let Some(text) = variables.get(setting.variable) {
                let texts = if setting.many { split(text) } else { vec![text.clone()] };
                self.set(setting, texts, format!("variable {}", setting.variable));
            }
        }
        // A setting's own variable goes before a handler's, as that of `handler-config-reload` might be one.
        let known = |name: &str| name == "TIDEMILL_CONFIG" || SETTINGS.iter().any(|setting| setting.variable == name);
        for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("TIDEMILL_") && !known(name)) {
            if name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains(BETWEEN)) {
                self.handler_values.set_variable(name, value);
            } else {
                self.unknown_variables.push(name.clone());
            }
        }
    }

    fn take_flags(&mut self, flags: &ArgMatches) {
        for setting in SETTINGS {
            if let Ok(Some(texts)) = flags.try_get_many::<String>(setting.flag()) {
                // A secret may hold a comma, and each has a flag of its own anyway.
                let texts = texts.flat_map(|text| if setting.splits() { split(text) } else { vec![text.clone()] });
                self.set(setting, texts.collect(), format!("flag --{}", setting.flag()));
            }
        }
    }

    fn take_handler_flags(&mut self, flags: &ArgMatches) {
        let form = "HANDLER.KEY=VALUE, such as email-on-register.mail-key=abc";
        self.take_handler_flag(flags, "handler-config", form, |text| GivenValue::text(text));
        let form = "HANDLER.KEY=FILE, such as email-on-register.mail-key=/secrets/mail-key";
        self.take_handler_flag(flags, "handler-config-file", form, |path| GivenValue::File(path.into()));
    }

    fn take_handler_flag(&mut self, flags: &ArgMatches, flag: &str, form: &str, given: fn(&str) -> GivenValue) {
        // A command need not have it.
        let texts = flags.try_get_many::<String>(flag).ok().flatten();
        for text in texts.into_iter().flatten() {
            let parts = text.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
            let set = match parts {
                Some(((handler, key), value)) => self.handler_values.set_flag(handler, key, given(value)),
                // The text is not repeated: it may be a secret.
                None => Err(format!("write {form}")),
            };
            if let Err(problem) = set {
                self.problem(flag, format!("flag --{flag}"), problem);
            }
        }
    }
}

fn named_file<'a>(flags: &'a ArgMatches, variables: &'a BTreeMap<String, String>) -> Option<&'a String> {
    flags.get_one::<String>("config").or_else(|| variables.get("TIDEMILL_CONFIG"))
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

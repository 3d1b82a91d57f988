use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction};
use zeroize::Zeroizing;

use super::value_file;

/// What a handler's variables start with.
pub(super) const PREFIX: &str = "TIDEMILL_HANDLER_";
/// What parts the handler from its key in a variable's name.
pub(super) const BETWEEN: &str = "__";

/// What the variable of a value's file ends with.
const FILE_SUFFIX: &str = "_FILE";

/// How often files are read where nothing says so; the default of the setting is the same.
const RELOAD: Duration = Duration::from_secs(60);

/// The operator's values for handlers' configuration keys, from all sources. Any of them may be a secret: only the
/// handler's manifest says which.
#[derive(Clone)]
pub struct HandlerValues {
    /// By handler and key, from flags.
    flags: Named,
    /// By handler and key, from the file.
    file: Named,
    /// By variable. Which handler and key one means is known only once a handler declares the key, since `-` and `_`
    /// are one character in a variable's name.
    variables: BTreeMap<String, Zeroizing<String>>,
    reload: Duration,
}

type Named = BTreeMap<String, BTreeMap<String, Given>>;

/// A value, or where it lies.
#[derive(Clone)]
pub(super) enum Given {
    Text(Zeroizing<String>),
    File(PathBuf),
}

/// The value for a handler's key.
pub struct HandlerValue {
    /// The value.
    pub text: Zeroizing<String>,
    /// Whether the command line shows it to whoever may list the machine's processes.
    pub on_command_line: bool,
}

/// Why a handler's key has no value, although somebody gave it one. No sentence repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerValueError {
    /// The file that it lies in gives none.
    #[error("its value is to come from the file {path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The environment gives two.
    #[error("both {variable} and {variable}_FILE are set; take one of them away")]
    Both {
        /// The variable of the value itself.
        variable: String,
    },
    /// A variable may be meant for another key of the same handler.
    #[error(
        "the variable {variable} may be the file of this key, or the value of `{other}`, which the handler declares too: \
         give both in tidemill.toml or by flags"
    )]
    Ambiguous {
        /// The variable.
        variable: String,
        /// The other key.
        other: String,
    },
}

impl Default for HandlerValues {
    /// No value for any handler.
    fn default() -> Self {
        let (flags, file, variables) = (Named::new(), Named::new(), BTreeMap::new());
        Self { flags, file, variables, reload: RELOAD }
    }
}

impl Given {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    fn read(&self) -> Result<Zeroizing<String>, HandlerValueError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read_file(path),
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, HandlerValueError> {
    value_file::read(path).map_err(|problem| HandlerValueError::File { path: path.to_owned(), problem })
}

impl HandlerValues {
    /// Gives a value by a flag. One of the other kind for the same key is left as it is, and is an error: nothing says
    /// which of the two is meant.
    pub(super) fn set_flag(&mut self, handler: &str, key: &str, given: Given) -> Result<(), String> {
        let keys = self.flags.entry(handler.to_owned()).or_default();
        if let Some(Given::Text(_)) = keys.get(key)
            && let Given::File(_) = given
        {
            return Err(format!("{handler}.{key} has both a value and a file; give one of them"));
        }
        keys.insert(key.to_owned(), given);
        Ok(())
    }

    pub(super) fn set_in_file(&mut self, handler: &str, key: &str, given: Given) {
        self.file.entry(handler.to_owned()).or_default().insert(key.to_owned(), given);
    }

    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
    }

    /// The same values, whose files are to be read again every so often.
    #[must_use]
    pub fn reloading(self, reload: Duration) -> Self {
        Self { reload, ..self }
    }

    /// How often files are to be read again; `None` where no value lies in one.
    #[must_use]
    pub fn reload(&self) -> Option<Duration> {
        let mut named = [&self.flags, &self.file].into_iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let files = named.any(|given| matches!(given, Given::File(_)))
            || self.variables.keys().any(|name| name.ends_with(FILE_SUFFIX));
        files.then_some(self.reload)
    }

    /// Replaces every value, from whatever source, by what `change` makes of it. What lies in a file stays as it is.
    pub fn map_values(&mut self, change: impl Fn(&str) -> String) {
        let named = [&mut self.flags, &mut self.file].into_iter().flat_map(BTreeMap::values_mut);
        let texts = named.flat_map(BTreeMap::values_mut).filter_map(|given| match given {
            Given::Text(text) => Some(text),
            Given::File(_) => None,
        });
        for text in texts.chain(self.variables.values_mut()) {
            *text = Zeroizing::new(change(text));
        }
    }

    /// The value for a handler's key: from a flag, else from its variable, else from the configuration's file. Where it
    /// lies in a file of its own, that is read now. `declares` says which keys the handler has.
    ///
    /// # Errors
    /// Where the file gives no value, or the environment leaves open what is meant; see [`HandlerValueError`].
    pub fn read(
        &self,
        handler: &str,
        key: &str,
        declares: impl Fn(&str) -> bool,
    ) -> Result<Option<HandlerValue>, HandlerValueError> {
        if let Some(given) = find(&self.flags, handler, key) {
            let on_command_line = matches!(given, Given::Text(_));
            return Ok(Some(HandlerValue { text: given.read()?, on_command_line }));
        }
        let text = match self.read_variable(handler, key, declares)? {
            Some(text) => Some(text),
            None => find(&self.file, handler, key).map(Given::read).transpose()?,
        };
        Ok(text.map(|text| HandlerValue { text, on_command_line: false }))
    }

    fn read_variable(
        &self,
        handler: &str,
        key: &str,
        declares: impl Fn(&str) -> bool,
    ) -> Result<Option<Zeroizing<String>>, HandlerValueError> {
        let variable = Self::variable(handler, key);
        let of_file = format!("{variable}{FILE_SUFFIX}");
        let text = self.variables.get(&variable);
        let Some(path) = self.variables.get(&of_file) else { return Ok(text.cloned()) };
        if let Some(other) =
            ["-file", "_file", ".file"].map(|end| format!("{key}{end}")).into_iter().find(|k| declares(k))
        {
            // With a value of its own, this key has nothing to do with that variable.
            return if text.is_some() {
                Ok(text.cloned())
            } else {
                Err(HandlerValueError::Ambiguous { variable: of_file, other })
            };
        }
        match text {
            Some(_) => Err(HandlerValueError::Both { variable }),
            None => read_file(Path::new(path.as_str())).map(Some),
        }
    }

    /// The handlers that flags or the file name.
    pub fn handlers(&self) -> impl Iterator<Item = &str> {
        [&self.flags, &self.file].into_iter().flat_map(|values| values.keys().map(String::as_str))
    }

    /// The keys that flags or the file name for a handler.
    pub fn keys(&self, handler: &str) -> impl Iterator<Item = &str> {
        [&self.flags, &self.file]
            .into_iter()
            .filter_map(|values| values.get(handler))
            .flat_map(|keys| keys.keys().map(String::as_str))
    }

    /// Whether a text can be the name of a handler: a-z, 0-9 and single `-` between them, at most 63 characters.
    #[must_use]
    pub fn is_handler(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        // A variable's name is parted by what no name has.
        text.len() <= 63 && text.split('-').all(|part| !part.is_empty() && part.chars().all(plain))
    }

    /// The variable of a handler's key: `TIDEMILL_HANDLER_EMAIL_ON_REGISTER__MAIL_KEY`. With `_FILE` behind it, it names
    /// the file that the value lies in.
    ///
    /// Two underscores part the handler from its key: no name of a handler has two in a row or one at its end, so no
    /// handler can read another's by the choice of its keys.
    #[must_use]
    pub fn variable(handler: &str, key: &str) -> String {
        format!("{PREFIX}{handler}{BETWEEN}{key}").to_ascii_uppercase().replace(['-', '.'], "_")
    }
}

fn find<'a>(values: &'a Named, handler: &str, key: &str) -> Option<&'a Given> {
    values.get(handler)?.get(key)
}

impl fmt::Debug for HandlerValues {
    /// Shows names alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [&self.flags, &self.file].into_iter().flatten();
        let named = named.flat_map(|(handler, keys)| keys.keys().map(move |key| format!("{handler}.{key}")));
        f.debug_set().entries(named).entries(self.variables.keys()).finish()
    }
}

/// The flags that give values to handlers.
#[must_use]
pub fn handler_value_flags() -> [Arg; 2] {
    let flag = |name, value, help| Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help);
    [
        flag(
            "handler-config",
            "HANDLER.KEY=VALUE",
            "Value for a handler's configuration key; may be given more than once [TIDEMILL_HANDLER_<HANDLER>__<KEY>]",
        ),
        flag(
            "handler-config-file",
            "HANDLER.KEY=FILE",
            "File that holds such a value; may be given more than once [TIDEMILL_HANDLER_<HANDLER>__<KEY>_FILE]",
        ),
    ]
}

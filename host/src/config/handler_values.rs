use std::collections::BTreeMap;
use std::fmt;

/// What a handler's variables start with.
pub(super) const PREFIX: &str = "TIDEMILL_HANDLER_";

/// The operator's values for handlers' configuration keys, from all sources.
#[derive(Clone, Default)]
pub struct HandlerValues {
    /// By handler and key, from flags.
    flags: Named,
    /// By handler and key, from the file.
    file: Named,
    /// By variable. Which handler and key one means is known only once a handler declares the key, since `-` and `_`
    /// are one character in a variable's name.
    variables: BTreeMap<String, String>,
}

type Named = BTreeMap<String, BTreeMap<String, String>>;

impl HandlerValues {
    pub(super) fn set_flag(&mut self, handler: &str, key: &str, value: &str) {
        self.flags.entry(handler.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    pub(super) fn set_in_file(&mut self, handler: &str, key: &str, value: &str) {
        self.file.entry(handler.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Replaces every value, from whatever source, by what `change` makes of it.
    pub fn map_values(&mut self, change: impl Fn(&str) -> String) {
        let named = [&mut self.flags, &mut self.file].into_iter().flat_map(BTreeMap::values_mut);
        for value in named.flat_map(BTreeMap::values_mut).chain(self.variables.values_mut()) {
            *value = change(value);
        }
    }

    /// The value for a handler's key: from a flag, else from its variable, else from the file.
    #[must_use]
    pub fn get(&self, handler: &str, key: &str) -> Option<&str> {
        find(&self.flags, handler, key)
            .or_else(|| self.variables.get(&Self::variable(handler, key)))
            .or_else(|| find(&self.file, handler, key))
            .map(String::as_str)
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

    /// The variable of a handler's key: `TIDEMILL_HANDLER_EMAIL_ON_REGISTER_MAIL_KEY`.
    #[must_use]
    pub fn variable(handler: &str, key: &str) -> String {
        format!("{PREFIX}{handler}_{key}").to_ascii_uppercase().replace(['-', '.'], "_")
    }
}

fn find<'a>(values: &'a Named, handler: &str, key: &str) -> Option<&'a String> {
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

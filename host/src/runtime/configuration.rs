use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use wasmtime_wasi_config::WasiConfigVariables;
use zeroize::Zeroizing;

use super::output::Mask;

/// A handler's configuration: values by key, as `wasi:config/store` gives them out. Cheap to clone.
#[derive(Clone, Default)]
pub struct Configuration(Arc<Values>);

#[derive(Default)]
struct Values {
    by_key: BTreeMap<String, ConfigValue>,
    /// The same for the guest.
    given_out: Arc<WasiConfigVariables>,
    mask: Option<Arc<Mask>>,
}

/// A value of a handler's configuration. It is overwritten with zeros at the end, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigValue {
    text: Zeroizing<String>,
    secret: bool,
}

impl ConfigValue {
    /// A value; a `secret` one is hidden wherever its handler's own text leaves the host.
    #[must_use]
    pub fn new(text: Zeroizing<String>, secret: bool) -> Self {
        Self { text, secret }
    }
}

impl Configuration {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.by_key.get(key).map(|value| value.text.as_str())
    }

    /// The keys that have a value, and whether that is a secret, in their order.
    pub fn keys(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.by_key.iter().map(|(key, value)| (key.as_str(), value.secret))
    }

    /// A text without the secrets that stand in it.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        Mask::hide(self.mask(), text)
    }

    /// The secrets that are too short to be told from other text, by their keys, so that nothing hides them.
    pub fn unhidden(&self) -> impl Iterator<Item = &str> {
        let unhidden = self.0.by_key.iter().filter(|(_, value)| value.secret && !Mask::finds(&value.text));
        unhidden.map(|(key, _)| key.as_str())
    }

    /// The keys whose values are others than `before`, in their order.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let (now, before) = (&self.0.by_key, &before.0.by_key);
        let keys: BTreeSet<_> = now.keys().chain(before.keys()).collect();
        keys.into_iter().filter(|key| now.get(*key) != before.get(*key)).cloned().collect()
    }

    /// What the guest is given.
    pub(super) fn given_out(&self) -> &Arc<WasiConfigVariables> {
        &self.0.given_out
    }

    /// What hides the secrets. `None`: there is none.
    pub(super) fn mask(&self) -> Option<&Arc<Mask>> {
        self.0.mask.as_ref()
    }
}

impl FromIterator<(String, ConfigValue)> for Configuration {
    fn from_iter<I: IntoIterator<Item = (String, ConfigValue)>>(values: I) -> Self {
        let by_key: BTreeMap<_, _> = values.into_iter().collect();
        let texts = || by_key.iter().map(|(key, value)| (key.as_str(), value.text.as_str()));
        let secrets = by_key.iter().filter(|(_, value)| value.secret);
        let mask = Mask::new(secrets.map(|(key, value)| (key.as_str(), value.text.as_str()))).map(Arc::new);
        let given_out = Arc::new(texts().collect());
        Self(Arc::new(Values { by_key, given_out, mask }))
    }
}

impl PartialEq for Configuration {
    /// Whether all keys and values are the same.
    fn eq(&self, other: &Self) -> bool {
        self.0.by_key == other.0.by_key
    }
}

impl fmt::Debug for Configuration {
    /// Shows keys, never values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.by_key.keys()).finish()
    }
}

impl fmt::Debug for ConfigValue {
    /// Shows nothing of the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigValue").field("secret", &self.secret).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(values: &[(&str, &str, bool)]) -> Configuration {
        let value = |text: &str, secret| ConfigValue::new(Zeroizing::new(text.to_owned()), secret);
        values.iter().map(|(key, text, secret)| ((*key).to_owned(), value(text, *secret))).collect()
    }

    #[test]
    fn what_has_changed_is_told_by_key() {
        let before = configuration(&[("a", "1", false), ("b", "hunter2", true), ("c", "3", false)]);
        let now = configuration(&[("a", "1", false), ("b", "hunter3", true), ("d", "4", false)]);
        assert_eq!(now.changed_since(&before), ["b", "c", "d"]);
        assert!(now.changed_since(&now.clone()).is_empty());
    }

    #[test]
    fn secrets_alone_are_hidden_and_no_value_is_ever_shown() {
        let values = configuration(&[("from", "a@example.com", false), ("key", "hunter2", true), ("pin", "123", true)]);
        assert_eq!(values.unhidden().collect::<Vec<_>>(), ["pin"]);
        assert_eq!(values.mask().unwrap().shown("a@example.com hunter2", 99).0, "a@example.com [secret key]");
        assert!(configuration(&[("from", "a@example.com", false)]).mask().is_none());
        let debug = format!("{values:?} {:?}", values.0.by_key);
        assert!(debug.contains("from") && !debug.contains("hunter2") && !debug.contains("example"), "{debug}");
    }
}

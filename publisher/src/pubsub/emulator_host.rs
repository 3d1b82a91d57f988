use std::fmt;
use std::str::FromStr;

/// The variable that Google's tools name an emulator in.
const VARIABLE: &str = "PUBSUB_EMULATOR_HOST";

/// Where a Pub/Sub emulator listens, `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatorHost(String);

/// A text that is no [`EmulatorHost`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}{origin} is no emulator's address: write HOST:PORT, such as 127.0.0.1:8085")]
pub struct EmulatorHostError {
    text: String,
    origin: &'static str,
}

impl EmulatorHost {
    /// Reads the variable `PUBSUB_EMULATOR_HOST`: `None` where it is unset or empty.
    ///
    /// Call it where the application reads its environment, and hand the answer to
    /// [`PubSubBuilder::emulator`](super::PubSubBuilder::emulator). Nothing else in this crate reads the environment,
    /// and Google's client does not know the variable.
    ///
    /// # Errors
    /// Where the variable holds something else than an address.
    pub fn from_env() -> Result<Option<Self>, EmulatorHostError> {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one documented reader of this variable, called by composition roots"
        )]
        let value = std::env::var_os(VARIABLE).unwrap_or_default();
        let text = value.to_string_lossy();
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error| EmulatorHostError { origin: " in PUBSUB_EMULATOR_HOST", ..error })
    }

    /// The emulator's URL, as Google's client takes an endpoint.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.0)
    }
}

impl FromStr for EmulatorHost {
    type Err = EmulatorHostError;

    /// Reads `HOST:PORT`, with or without `http://` before it, as both are in use. An IPv6 host stands in brackets.
    fn from_str(text: &str) -> Result<Self, EmulatorHostError> {
        let address = text.strip_prefix("http://").unwrap_or(text);
        let address = address.strip_suffix('/').unwrap_or(address);
        let host_char = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && host.chars().all(host_char) && port.parse::<u16>().is_ok() => {
                Ok(Self(address.to_owned()))
            }
            _ => Err(EmulatorHostError { text: text.to_owned(), origin: "" }),
        }
    }
}

impl fmt::Display for EmulatorHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_its_scheme() {
        for text in ["127.0.0.1:8085", "http://127.0.0.1:8085", "http://127.0.0.1:8085/"] {
            assert_eq!(text.parse::<EmulatorHost>().unwrap().endpoint(), "http://127.0.0.1:8085");
        }
        assert_eq!("[::1]:8085".parse::<EmulatorHost>().unwrap().endpoint(), "http://[::1]:8085");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "localhost", ":8085", "host:port", "host:99999", "https://host:1", "host:1/path", "a b:1"] {
            let error = text.parse::<EmulatorHost>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}

use std::fmt;
use std::str::FromStr;

use super::super::HandlerValues;
use super::{Caps, EventTypes};
use crate::outgoing::OriginPattern;

/// The most events that any instance may handle.
pub const MAX_REUSE: u32 = 1_000_000;

/// One rule of the operator's: what one handler may do, or all may.
///
/// Written `HANDLER|* WHAT …`. `http=ORIGIN`, `key-value=STORE` and `publish=EVENT-TYPES` allow what they name, `reuse=N`
/// allows instances that handle up to N events each, and `all` allows whatever the manifest asks for. `events=EVENT-TYPES` and the limits of a manifest (`memory=64MiB`) narrow:
/// without them a handler may serve any event type, and ask for as much as the host has to give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantRule {
    /// The handler. `None`: all.
    pub(super) handler: Option<String>,
    pub(super) all: bool,
    pub(super) http: Vec<OriginPattern>,
    pub(super) key_value: Vec<String>,
    pub(super) publish: Vec<EventTypes>,
    pub(super) reuse: Option<u32>,
    pub(super) events: Vec<EventTypes>,
    pub(super) caps: Caps,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no grant: {problem}; write HANDLER, or * for all of them, and what it may: all, http=ORIGIN, \
     key-value=STORE, publish=EVENT-TYPE, reuse=EVENTS, and to narrow it events=EVENT-TYPE or a limit, such as \
     'email-on-register http=https://api.resend.com memory=32MiB'"
)]
pub struct GrantRuleError {
    text: String,
    problem: String,
}

impl GrantRule {
    /// The rule `* all`.
    pub(super) fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        if word == "all" {
            self.all = true;
            return Ok(());
        }
        let (kind, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is no KIND=VALUE"))?;
        let wrong = |problem: &dyn fmt::Display| format!("{word:?}: {problem}");
        match kind {
            "http" => self.http.push(value.parse().map_err(|error| wrong(&error))?),
            "key-value" if value.is_empty() => return Err(wrong(&"it names no store")),
            "key-value" => self.key_value.push(value.to_owned()),
            "publish" => self.publish.push(value.parse().map_err(|error| wrong(&error))?),
            "reuse" => self.reuse = Some(reuse(value).map_err(|error| wrong(&error))?),
            "events" => self.events.push(value.parse().map_err(|error| wrong(&error))?),
            _ => {
                if !self.caps.set(kind, value).map_err(|error| wrong(&error))? {
                    return Err(wrong(&"there is no such kind"));
                }
            }
        }
        Ok(())
    }
}

fn reuse(text: &str) -> Result<u32, String> {
    let events = text.parse().ok().filter(|events| (1..=MAX_REUSE).contains(events));
    events.ok_or_else(|| format!("{text:?} is no number of events from 1 to {MAX_REUSE}"))
}

impl FromStr for GrantRule {
    type Err = GrantRuleError;

    fn from_str(text: &str) -> Result<Self, GrantRuleError> {
        let wrong = |problem: String| GrantRuleError { text: text.to_owned(), problem };
        let mut words = text.split_whitespace();
        let handler = words.next().ok_or_else(|| wrong("it names no handler".into()))?;
        if handler == "all" || handler.contains('=') {
            return Err(wrong(format!("it begins with {handler:?} in place of a handler")));
        }
        if handler != "*" && !HandlerValues::is_handler(handler) {
            return Err(wrong(format!("{handler:?} is no handler's name: a-z, 0-9 and single `-` between them")));
        }
        let mut rule = Self { handler: (handler != "*").then(|| handler.to_owned()), ..Self::default() };
        words.try_for_each(|word| rule.take(word)).map_err(wrong)?;
        if (Self { handler: rule.handler.clone(), ..Self::default() }) == rule {
            return Err(wrong("it doesn't say what".into()));
        }
        Ok(rule)
    }
}

impl fmt::Display for GrantRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.handler.as_deref().unwrap_or("*"))?;
        if self.all {
            f.write_str(" all")?;
        }
        self.http.iter().try_for_each(|origin| write!(f, " http={origin}"))?;
        self.key_value.iter().try_for_each(|store| write!(f, " key-value={store}"))?;
        self.publish.iter().try_for_each(|types| write!(f, " publish={types}"))?;
        self.reuse.iter().try_for_each(|events| write!(f, " reuse={events}"))?;
        self.events.iter().try_for_each(|types| write!(f, " events={types}"))?;
        self.caps.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        for text in [
            "* all",
            "mail http=https://api.example.com:443 http=https://*.example.org:443 key-value=default",
            "* publish=mail.* reuse=1000 events=user.registered events=user.* deadline=8000ms memory=1024 host-calls=7",
        ] {
            assert_eq!(text.parse::<GrantRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_wrong_form_says_what_is_wrong() {
        for (text, says) in [
            ("", "names no handler"),
            ("all", "in place of a handler"),
            ("http=https://a.example.com", "in place of a handler"),
            ("mail", "doesn't say what"),
            ("Mail_ all", "is no handler's name"),
            ("mail all,", "\"all,\" is no KIND=VALUE"),
            ("mail publish=a,* all", "no space, comma"),
            ("mail deadline=0s", "at least 1ms"),
            ("mail resources=9", "at least 10"),
            ("mail http", "\"http\" is no KIND=VALUE"),
            ("mail http=*", "neither https:// nor http://"),
            ("mail htpp=https://a.example.com", "no such kind"),
            ("mail key-value=", "names no store"),
            ("mail publish=*.sent", "stands alone or behind the last dot"),
            ("mail memory=much", "no size"),
            ("mail reuse=0", "no number of events from 1 to"),
            ("mail reuse=1000001", "no number of events from 1 to"),
            ("mail host-calls=-1", "no whole number"),
        ] {
            let error = text.parse::<GrantRule>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

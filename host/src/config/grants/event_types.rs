use std::fmt;
use std::str::FromStr;

/// Event types that a rule names: one, all that begin alike (`user.*`), or all (`*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypes(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    One(String),
    /// With the dot that they have in common.
    Below(String),
    All,
}

impl EventTypes {
    /// Whether this event type is one of them.
    #[must_use]
    pub fn include(&self, event_type: &str) -> bool {
        match &self.0 {
            Form::One(one) => one == event_type,
            Form::Below(start) => event_type.strip_prefix(start.as_str()).is_some_and(|rest| !rest.is_empty()),
            Form::All => true,
        }
    }
}

impl FromStr for EventTypes {
    type Err = &'static str;

    /// Reads `user.registered`, `user.*` or `*`. The error says what is wrong.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let form = match (text, text.strip_suffix(".*")) {
            ("", _) => return Err("it is no event type"),
            _ if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',') => {
                return Err("an event type that can be granted has no space, comma or control character");
            }
            ("*", _) => Form::All,
            (_, Some(start)) if !start.is_empty() && !start.contains('*') => Form::Below(format!("{start}.")),
            _ if text.contains('*') => return Err("a `*` stands alone or behind the last dot, as in user.*"),
            _ => Form::One(text.to_owned()),
        };
        Ok(Self(form))
    }
}

impl fmt::Display for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::One(one) => f.write_str(one),
            Form::Below(start) => write!(f, "{start}*"),
            Form::All => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_itself_one_below_its_start_or_any() {
        for (pattern, within, without) in [
            ("user.registered", &["user.registered"][..], &["user.registered.x", "user", "User.registered"][..]),
            ("user.*", &["user.registered", "user.name.changed"], &["user", "user.", "users.x", "xuser.y"]),
            ("*", &["user", "a.b"], &[]),
        ] {
            let types: EventTypes = pattern.parse().unwrap();
            assert!(within.iter().all(|event_type| types.include(event_type)), "{pattern}");
            assert!(!without.iter().any(|event_type| types.include(event_type)), "{pattern}");
            assert_eq!(types.to_string(), pattern);
        }
        for text in ["", "*.registered", "us*", "user*", "a.*.b", ".*", "**", "user.**"] {
            assert!(text.parse::<EventTypes>().is_err(), "{text}");
        }
    }
}

use tidemill_events::{Event, attribute};

/// What of a stranger's text an error repeats, in characters.
const QUOTED: usize = 64;

/// Why an event is not handled that handlers have led to. It stays that way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Too many handlers have led to it, as where each publishes what the next is called for, in a circle.
    #[error(
        "{depth} handlers, one after the other, have led to this event, and `max-chain` allows {max}: do they publish \
         what they themselves are called for?"
    )]
    TooDeep {
        /// How many. A number past all measure comes out as the largest.
        depth: u32,
        /// How many may be.
        max: u32,
    },
    /// Nobody can tell how many.
    #[error("the attribute `{name}` is {0:?}, and a host writes nothing but decimal digits there", name = attribute::DEPTH)]
    NoDepth(String),
    /// Nobody can tell how many events may come of it.
    #[error(
        "the attribute `{name}` is {0:?}, and a host writes nothing but decimal digits there",
        name = attribute::DESCENDANTS
    )]
    NoDescendants(String),
}

/// How many handlers, one after the other, have led to an event: none where it has no attribute that says so.
pub(super) fn depth(event: &Event) -> Result<u32, ChainError> {
    match event.attributes.get(attribute::DEPTH) {
        None => Ok(0),
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(u32::MAX))
        }
        Some(text) => Err(ChainError::NoDepth(text.chars().take(QUOTED).collect())),
    }
}

/// How many events may come of an event, as its attribute says; none where there is no such attribute.
pub(super) fn descendants(event: &Event) -> Result<u32, ChainError> {
    match event.attributes.get(attribute::DESCENDANTS) {
        None => Ok(0),
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(u32::MAX))
        }
        Some(text) => Err(ChainError::NoDescendants(text.chars().take(QUOTED).collect())),
    }
}

/// Judges whether an event may be handled, to which at most `max` handlers, one after the other, may have led.
///
/// # Errors
/// Where it may not.
pub fn check(event: &Event, max: u32) -> Result<(), ChainError> {
    match depth(event)? {
        depth if depth > max => Err(ChainError::TooDeep { depth, max }),
        _ => descendants(event).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn of(depth: Option<&str>) -> Event {
        Event {
            id: "e1".into(),
            event_type: "a".into(),
            time: UNIX_EPOCH,
            content_type: None,
            ordering_key: None,
            attributes: depth.map(|depth| (attribute::DEPTH.to_owned(), depth.to_owned())).into_iter().collect(),
            data: vec![],
        }
    }

    #[test]
    fn a_chain_may_be_as_deep_as_allowed_and_no_deeper() {
        for good in [None, Some("0"), Some("016"), Some("16")] {
            assert_eq!(check(&of(good), 16), Ok(()), "{good:?}");
        }
        assert_eq!(check(&of(Some("17")), 16), Err(ChainError::TooDeep { depth: 17, max: 16 }));
        assert_eq!(check(&of(Some("1")), 0), Err(ChainError::TooDeep { depth: 1, max: 0 }));
        let endless = "9".repeat(1000);
        assert_eq!(check(&of(Some(&endless)), 16), Err(ChainError::TooDeep { depth: u32::MAX, max: 16 }));
    }

    #[test]
    fn what_is_no_number_is_no_depth_and_repeated_in_part() {
        for text in ["", "-1", "+1", "1.0", " 1", "one", "\u{0661}", &"x".repeat(1000)] {
            let error = check(&of(Some(text)), 16).unwrap_err();
            assert_eq!(error, ChainError::NoDepth(text.chars().take(64).collect()));
        }
    }
}

//! What a change does to one value, the same in memory and on disk; the server of [`super::RedisStore`] has it as a script.

use super::{Key, KeyValueError, Value};

/// What an entry costs beside the bytes of its key and of its value: without it, entries of a byte would be nearly free.
pub const ENTRY_COST: u64 = 128;

/// What becomes of a value, and what is told of it.
pub(super) struct Step<T> {
    pub(super) write: Write,
    pub(super) answer: T,
}

/// What becomes of a value.
pub(super) enum Write {
    /// It stays.
    Nothing,
    /// It is this one.
    Put(Vec<u8>),
    /// It is gone, and its key with it.
    Remove,
}

/// A value is set.
pub(super) fn set(value: Value) -> impl FnOnce(Option<&[u8]>) -> Result<Step<()>, KeyValueError> + Send + 'static {
    |_| Ok(Step { write: Write::Put(value.into_bytes()), answer: () })
}

/// A key is taken away.
pub(super) fn delete() -> impl FnOnce(Option<&[u8]>) -> Result<Step<()>, KeyValueError> + Send + 'static {
    |_| Ok(Step { write: Write::Remove, answer: () })
}

/// A number is added to.
pub(super) fn increment(delta: i64) -> impl FnOnce(Option<&[u8]>) -> Result<Step<i64>, KeyValueError> + Send + 'static {
    move |old| {
        let sum = old.map_or(Ok(0), number)?.checked_add(delta).ok_or(KeyValueError::Overflow)?;
        Ok(Step { write: Write::Put(sum.to_string().into_bytes()), answer: sum })
    }
}

/// A value is put in the place of another.
pub(super) fn swap(
    expected: Option<Vec<u8>>,
    value: Value,
) -> impl FnOnce(Option<&[u8]>) -> Result<Step<bool>, KeyValueError> + Send + 'static {
    move |old| {
        let met = old == expected.as_deref();
        Ok(Step { write: if met { Write::Put(value.into_bytes()) } else { Write::Nothing }, answer: met })
    }
}

/// A number in the one form that it is written in, which is also Redis's: no sign but `-`, no zero before it.
fn number(value: &[u8]) -> Result<i64, KeyValueError> {
    let number: Option<i64> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.filter(|number| number.to_string().as_bytes() == value).ok_or(KeyValueError::NoNumber)
}

/// The bytes that a handler keeps, of which it kept `used`, once a value of so many bytes is another, `None` being no key.
///
/// What makes it no larger is always allowed, so that a handler whose quota became smaller can still tidy up.
pub(super) fn account(
    used: u64,
    quota: u64,
    key: &Key,
    old: Option<usize>,
    new: Option<usize>,
) -> Result<u64, KeyValueError> {
    let cost = |value: Option<usize>| match value {
        None => 0,
        Some(value) => {
            ENTRY_COST.saturating_add(u64::try_from(key.as_str().len().saturating_add(value)).unwrap_or(u64::MAX))
        }
    };
    let (before, after) = (cost(old), cost(new));
    let would = used.saturating_sub(before).saturating_add(after);
    if after > before && would > quota { Err(KeyValueError::Full { quota, would }) } else { Ok(would) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for good in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert!(number(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "a", "\u{0661}"] {
            assert_eq!(number(bad.as_bytes()), Err(KeyValueError::NoNumber), "{bad}");
        }
        assert_eq!(number(b"\xff"), Err(KeyValueError::NoNumber));
    }

    #[test]
    fn what_makes_a_keeping_smaller_is_never_refused() {
        let key = Key::new("k".into()).unwrap();
        assert_eq!(account(0, 139, &key, None, Some(10)), Ok(139));
        assert_eq!(account(0, 138, &key, None, Some(10)), Err(KeyValueError::Full { quota: 138, would: 139 }));
        assert_eq!(account(500, 100, &key, Some(10), Some(10)), Ok(500));
        assert_eq!(account(500, 100, &key, Some(10), None), Ok(361));
        assert!(account(500, 100, &key, Some(10), Some(11)).is_err());
    }
}

use std::collections::BTreeMap;

use crate::attribute::RESERVED;

/// The reserved attributes of a message, borrowed: all that a signature covers beside the data, and the signatures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reserved<'a>([Option<&'a str>; RESERVED.len()]);

/// The same, kept: one text for all of them, since every event has some and few are looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeptReserved {
    text: String,
    lengths: [Option<usize>; RESERVED.len()],
}

impl<'a> Reserved<'a> {
    /// Those among all attributes.
    pub(crate) fn of(attributes: &'a BTreeMap<String, String>) -> Self {
        Self(RESERVED.map(|name| attributes.get(name).map(String::as_str)))
    }

    /// Puts one in, and says whether it is reserved at all.
    pub(crate) fn put(&mut self, name: &str, value: &'a str) -> bool {
        let index = RESERVED.iter().position(|reserved| *reserved == name);
        let place = index.and_then(|index| self.0.get_mut(index));
        place.map(|place| *place = Some(value)).is_some()
    }

    /// The value of one, empty or not.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let index = RESERVED.iter().position(|reserved| *reserved == name)?;
        self.0.get(index).copied().flatten()
    }

    /// The value of one that has one.
    pub(crate) fn given(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A copy to keep.
    pub(crate) fn keep(&self) -> KeptReserved {
        let bytes = self.0.iter().flatten().map(|value| value.len()).sum();
        let mut kept = KeptReserved { text: String::with_capacity(bytes), lengths: Default::default() };
        for (value, length) in self.0.iter().zip(&mut kept.lengths) {
            *length = value.map(str::len);
            kept.text.push_str(value.unwrap_or_default());
        }
        kept
    }
}

impl KeptReserved {
    /// Each name with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut begin = 0;
        RESERVED.iter().zip(&self.lengths).filter_map(move |(name, length)| {
            let end = begin + (*length)?;
            let value = self.text.get(begin..end)?;
            begin = end;
            Some((*name, value))
        })
    }

    /// The value of one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(other, value)| (other == name).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute;

    #[test]
    fn what_is_kept_is_what_was_there() {
        let mut reserved = Reserved::default();
        assert!(reserved.put(attribute::SIGNATURE, "s") && reserved.put(attribute::EVENT_TYPE, "a.b"));
        assert!(reserved.put(attribute::EVENT_TIME, "") && !reserved.put("event-type ", "x"));
        let kept = reserved.keep();
        let all: Vec<_> = kept.iter().collect();
        assert_eq!(all, [(attribute::EVENT_TYPE, "a.b"), (attribute::EVENT_TIME, ""), (attribute::SIGNATURE, "s")]);
        assert_eq!((kept.get(attribute::SIGNATURE), kept.get(attribute::EVENT_ID)), (Some("s"), None));
        assert_eq!((reserved.get(attribute::EVENT_TIME), reserved.given(attribute::EVENT_TIME)), (Some(""), None));
    }
}

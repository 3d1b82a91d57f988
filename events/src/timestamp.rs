use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What of a text is quoted in an error, in characters.
const QUOTED: usize = 64;

/// A text that is no RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no RFC 3339 time such as 2026-11-24T09:30:00Z: {source}")]
pub struct TimestampError {
    text: String,
    source: time::error::Parse,
}

/// Reads an RFC 3339 time with any offset and up to nine fraction digits.
///
/// # Errors
/// Where the text is of another form, or names a day that doesn't exist.
pub fn parse_rfc3339(text: &str) -> Result<SystemTime, TimestampError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(SystemTime::from)
        .map_err(|source| TimestampError { text: text.chars().take(QUOTED).collect(), source })
}

/// Writes a time as RFC 3339 in UTC, with as many fraction digits as it needs (none to nine).
///
/// Years past 9999 have no RFC 3339 form; such a time comes out as the epoch.
#[must_use]
pub fn format_rfc3339(time: SystemTime) -> String {
    // Not `OffsetDateTime::from`, which panics for such a year.
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()),
        Err(before) => i128::try_from(before.duration().as_nanos()).map(|nanos| -nanos),
    };
    let formatted =
        nanos.ok().and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok());
    formatted.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_pubsub_writes_is_read() {
        for (text, back) in [
            ("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"),
            ("2026-11-24T00:00:00.120Z", "2026-11-24T00:00:00.12Z"),
            ("2026-11-24T00:00:00.123456Z", "2026-11-24T00:00:00.123456Z"),
            ("2026-11-24T01:00:00.123456789+01:00", "2026-11-24T00:00:00.123456789Z"),
        ] {
            assert_eq!(format_rfc3339(parse_rfc3339(text).unwrap()), back);
        }
    }

    #[test]
    fn a_time_past_the_year_9999_comes_out_as_the_epoch() {
        let late = parse_rfc3339("9999-12-31T23:59:59-23:59").unwrap();
        assert_eq!(format_rfc3339(late), "1970-01-01T00:00:00Z");
        let before = parse_rfc3339("1969-12-31T23:59:59.5Z").unwrap();
        assert_eq!(format_rfc3339(before), "1969-12-31T23:59:59.5Z");
    }

    #[test]
    fn an_error_quotes_what_was_found() {
        let error = parse_rfc3339("yesterday").unwrap_err().to_string();
        assert!(error.contains("\"yesterday\""), "{error}");
    }
}

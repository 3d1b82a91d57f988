use std::time::Duration;

/// Reads a time such as `500ms`, `8s`, `2m` or `1h`.
///
/// # Errors
/// A sentence that quotes the text, where it is of another form.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write a whole number and a unit, such as 500ms, 8s or 2m");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads a number of bytes such as `65536`, `64KiB`, `16MiB` or `1GiB`.
///
/// # Errors
/// A sentence that quotes the text, where it is of another form.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let wrong =
        || format!("{text:?} is no size; write a whole number of bytes, or with a unit, such as 64KiB or 16MiB");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(wrong)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2 m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_bytes("65536"), Ok(65536));
        assert_eq!(parse_bytes("16MiB"), Ok(16 << 20));
    }

    #[test]
    fn what_is_none_is_quoted() {
        for text in ["", "s", "8", "8 days", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse_duration(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
        for text in ["", "MiB", "16MB", "-1", "1.5GiB", "99999999999999999999"] {
            assert!(parse_bytes(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}

use std::fmt;
use std::str::FromStr;

/// A canary's share of a handler's events, in hundredths of a percent: 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(pub(super) u16);

impl FromStr for Share {
    type Err = String;

    /// Reads a percentage such as `5%` or `0.25%`.
    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.strip_suffix('%').and_then(|number| hundredths(number.trim_end()));
        share.filter(|share| (1..=9999).contains(share)).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no share: write a percentage from 0.01% to 99.99% with at most two decimals, such as 5% or \
                 0.25%; for all events, deploy without a canary"
            )
        })
    }
}

fn hundredths(number: &str) -> Option<u16> {
    let (whole, decimals) = number.split_once('.').map_or((number, "0"), |(whole, decimals)| (whole, decimals));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || !(1..=2).contains(&decimals.len()) {
        return None;
    }
    // Of one decimal, the other is 0.
    let decimals: u16 = format!("{decimals:0<2}").parse().ok()?;
    whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(decimals)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 100, self.0 % 100);
        match (decimals, decimals % 10) {
            (0, _) => write!(f, "{whole}%"),
            (_, 0) => write!(f, "{whole}.{}%", decimals / 10),
            _ => write!(f, "{whole}.{decimals:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_with_two_decimals_at_most() {
        for (text, share, shown) in [
            ("5%", 500, "5%"),
            ("0.01%", 1, "0.01%"),
            ("0.5 %", 50, "0.5%"),
            ("12.05%", 1205, "12.05%"),
            ("12.50%", 1250, "12.5%"),
            ("99.99%", 9999, "99.99%"),
        ] {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
            assert_eq!(Share(share).to_string(), shown);
        }
        for text in ["", "%", "5", "0%", "0.00%", "100%", "0.001%", "-1%", "+5%", "5.%", ".5%", "1e1%", "700%", "٥%"] {
            assert!(text.parse::<Share>().unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}

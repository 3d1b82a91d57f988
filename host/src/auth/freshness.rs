//! How long keys may be kept: the freshness lifetime of RFC 9111, section 4.2, within bounds.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AGE, CACHE_CONTROL};

/// Where the answer doesn't say.
const DEFAULT: Duration = Duration::from_secs(60 * 60);
/// However short the issuer says: the keys would be asked for all the time. A new key is asked for when it is met.
const LEAST: Duration = Duration::from_secs(5 * 60);
/// However long the issuer says: a key that was withdrawn must go.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what came with these headers may be kept.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let said = directives(headers).find_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => value.trim().trim_matches('"').parse().ok().map(Duration::from_secs),
            "no-store" | "no-cache" => Some(Duration::ZERO),
            _ => None,
        }
    });
    // What a cache on the way has kept for a while is that much older.
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    said.map_or(DEFAULT, |said| said.saturating_sub(age.unwrap_or_default())).clamp(LEAST, MOST)
}

fn directives(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(cache_control: &[&str], age: Option<&str>) -> u64 {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, value.parse().unwrap());
        }
        if let Some(age) = age {
            headers.insert(AGE, age.parse().unwrap());
        }
        lifetime(&headers).as_secs()
    }

    #[test]
    fn the_issuer_says_how_long_within_bounds() {
        for (said, expected) in [
            ("public, max-age=19845, must-revalidate, no-transform", 19845),
            ("Max-Age=\"7200\"", 7200),
            ("max-age = 7200", 7200),
            ("max-age=0", 300),
            ("no-store", 300),
            ("no-cache, max-age=7200", 300),
            ("max-age=99999999", 86400),
            ("max-age=99999999999999999999999", 3600),
            ("max-age=-1", 3600),
            ("max-age", 3600),
            ("s-maxage=7200", 3600),
            ("private", 3600),
        ] {
            assert_eq!(seconds(&[said], None), expected, "{said}");
        }
        assert_eq!(seconds(&[], None), 3600);
        assert_eq!(seconds(&["public", "max-age=600"], None), 600);
    }

    #[test]
    fn the_time_in_a_cache_on_the_way_counts() {
        assert_eq!(seconds(&["max-age=7200"], Some("3000")), 4200);
        assert_eq!(seconds(&["max-age=7200"], Some("9000")), 300);
        assert_eq!(seconds(&["max-age=7200"], Some("long")), 7200);
    }
}

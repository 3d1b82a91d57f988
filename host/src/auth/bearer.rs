//! Where in a request the token is: RFC 6750, section 2.1, and what Cloud Run adds to it.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};

use super::AuthError;
use super::token::TokenError;

/// Cloud Run reads this header before `Authorization`, and where it is there leaves the other one to the service,
/// unlooked at (<https://cloud.google.com/run/docs/authenticating/service-to-service>).
const SERVERLESS_AUTHORIZATION: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// The token of the `Authorization` header.
pub(super) fn authorization(headers: &HeaderMap) -> Result<&str, AuthError> {
    only(headers, AUTHORIZATION)?.ok_or(AuthError::NoToken)
}

/// The token that Cloud Run has checked, which must be the very one that is judged: whoever may invoke the service
/// could otherwise send a token of its own for Cloud Run, and write an `Authorization` header for the host.
pub(super) fn that_the_platform_checked(headers: &HeaderMap) -> Result<&str, AuthError> {
    match only(headers, SERVERLESS_AUTHORIZATION)? {
        Some(token) => Ok(token),
        None => authorization(headers),
    }
}

/// The bearer token of the one header of this name; `None` where there is no such header.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::SeveralTokens);
    }
    // A token is ASCII, and so is any header's text.
    let text = value.to_str().map_err(|_| TokenError::Parts)?;
    let (scheme, token) = text.split_once(' ').ok_or(AuthError::NoToken)?;
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(AuthError::NoToken);
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        values.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_scheme_has_no_case_and_the_token_follows_it() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c"] {
            assert_eq!(authorization(&headers(&[("authorization", value)])), Ok("a.b.c"), "{value}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for value in ["", "Bearer", "Bearer ", "Basic dXNlcg==", "a.b.c", "Bearera.b.c"] {
            assert_eq!(authorization(&headers(&[("authorization", value)])), Err(AuthError::NoToken), "{value:?}");
        }
        assert_eq!(authorization(&HeaderMap::new()), Err(AuthError::NoToken));
    }

    #[test]
    fn two_headers_are_refused_even_where_they_say_the_same() {
        let twice = headers(&[("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")]);
        assert_eq!(authorization(&twice), Err(AuthError::SeveralTokens));
    }

    #[test]
    fn the_header_that_the_platform_reads_first_is_the_one_that_counts() {
        let both = headers(&[("authorization", "Bearer mine"), ("x-serverless-authorization", "Bearer checked")]);
        assert_eq!(that_the_platform_checked(&both), Ok("checked"));
        assert_eq!(authorization(&both), Ok("mine"));
        let one = headers(&[("authorization", "Bearer checked")]);
        assert_eq!(that_the_platform_checked(&one), Ok("checked"));
        let other = headers(&[("authorization", "Bearer mine"), ("x-serverless-authorization", "Basic x")]);
        assert_eq!(that_the_platform_checked(&other), Err(AuthError::NoToken), "fell back on what nobody checked");
    }
}

use super::token::TokenError;

/// Why a sender may not deliver. No variant repeats what the token says: it is the key to somebody's door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error(
        "there is no `Authorization: Bearer` token: give the push subscription a service account to authenticate with"
    )]
    NoToken,
    /// There is more than one, and nothing says which of them counts.
    #[error("there is more than one authorization header, and only one token can count")]
    SeveralTokens,
    /// What is there is no token.
    #[error(transparent)]
    MalformedToken(#[from] TokenError),
    /// The token isn't signed as the issuer signs: with RS256.
    #[error("the token's algorithm is not RS256, with which the issuer signs")]
    WrongAlgorithm,
    /// The token doesn't say with which key it was signed.
    #[error("the token's header has no `kid`, so there is no telling which key it was signed with")]
    NoKeyId,
    /// The token says it was signed with a key that the issuer doesn't publish.
    #[error("the token is signed with a key that the issuer at `auth-jwks-url` doesn't publish")]
    UnknownKey,
    /// The token was not signed with that key, or changed since.
    #[error("the token's signature doesn't hold")]
    BadSignature,
    /// Cloud Run has checked the token and taken its signature away, so it can't be checked as `oidc` does.
    #[error(
        "the token's signature was removed by Cloud Run, which checked it before: where Cloud Run asks for \
         authentication, `auth` has to be iam"
    )]
    StrippedSignature,
    /// The token still has its signature, so it's not Cloud Run that checked it.
    #[error(
        "the token still has its signature, so Cloud Run didn't check it: is the service public? Then `auth` has to be \
         oidc"
    )]
    UncheckedSignature,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// The token's time has not come: `iat` or `nbf` is ahead of this clock.
    #[error("the token is from the future: its `iat` or `nbf` is ahead of this machine's clock")]
    NotYetValid,
    /// Somebody else issued the token.
    #[error("the token's `iss` is none of the issuers that count")]
    Issuer,
    /// The token is for somebody else.
    #[error(
        "the token's `aud` is none that `auth-audience` lists: compare it with the audience of the push subscription"
    )]
    Audience,
    /// The token is another account's.
    #[error(
        "the token's `email` is none that `auth-email` lists: compare it with the account of the push subscription"
    )]
    Email,
    /// The issuer doesn't vouch for the token's account.
    #[error("the token's `email_verified` is not true, so the issuer doesn't vouch for its `email`")]
    EmailNotVerified,
    /// There are no keys to check the token with.
    #[error("the issuer's keys could not be fetched yet, so no token can be checked; the log says why")]
    KeysUnavailable,
}

/// Why no authenticator could be built.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// TLS can't be set up for fetching the issuer's keys.
    #[error("auth-jwks-url: TLS can't be set up to fetch the issuer's keys: {0}; are the root certificates installed?")]
    Tls(std::io::Error),
}

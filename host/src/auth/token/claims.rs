//! What a token says.

use super::TokenError;
use super::members::Members;

/// What counts of the claims of Google's ID tokens
/// (<https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who issued it, `iss`.
    pub issuer: String,
    /// Whom it is for, `aud`.
    pub audience: String,
    /// When it ends, `exp`, in seconds since the epoch.
    pub expires: u64,
    /// When it was issued, `iat`, in seconds since the epoch.
    pub issued: u64,
    /// When it begins, `nbf`, in seconds since the epoch.
    pub not_before: Option<u64>,
    /// Whose it is, `email`.
    pub email: Option<String>,
    /// Whether the issuer vouches for that, `email_verified`; false where it doesn't say.
    pub email_verified: bool,
}

impl Claims {
    pub(super) fn read(members: &Members) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: members.required(members.text("iss")?, "iss")?,
            // RFC 7519 allows a list. Whom such a token is for can each hand it on to the others, so none is taken.
            audience: members.required(members.text("aud")?, "aud")?,
            expires: members.required(members.seconds("exp")?, "exp")?,
            issued: members.required(members.seconds("iat")?, "iat")?,
            not_before: members.seconds("nbf")?,
            email: members.text("email")?,
            email_verified: members.truth("email_verified")?.unwrap_or(false),
        })
    }
}

//! Whether a token says enough.

use std::time::{Duration, SystemTime};

use super::{AuthError, Claims, Sender};

/// What a token has to say.
pub(super) struct Policy {
    pub(super) issuers: Vec<String>,
    /// `None` for any.
    pub(super) audiences: Option<Vec<String>>,
    pub(super) emails: Vec<String>,
    pub(super) skew: Duration,
}

impl Policy {
    /// Who the sender is, where the claims are those of a sender who may deliver. They are taken for true, so they
    /// must have been proven before.
    pub(super) fn judge(&self, claims: Claims, now: SystemTime) -> Result<Sender, AuthError> {
        // A clock before the epoch is no clock; by 0 every token is from the future.
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let skew = self.skew.as_secs();
        if claims.expires.saturating_add(skew) <= now {
            return Err(AuthError::Expired);
        }
        if claims.issued.max(claims.not_before.unwrap_or(0)) > now.saturating_add(skew) {
            return Err(AuthError::NotYetValid);
        }
        if !self.issuers.contains(&claims.issuer) {
            return Err(AuthError::Issuer);
        }
        if self.audiences.as_ref().is_some_and(|audiences| !audiences.contains(&claims.audience)) {
            return Err(AuthError::Audience);
        }
        // Signature and audience alone say little: any service account can get a token for any audience.
        let email = claims.email.filter(|email| self.emails.contains(email)).ok_or(AuthError::Email)?;
        if !claims.email_verified {
            return Err(AuthError::EmailNotVerified);
        }
        Ok(Sender::Vouched { email })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(change: impl FnOnce(&mut Claims), now: u64) -> Result<Sender, AuthError> {
        let policy = Policy {
            issuers: vec!["i".into(), "j".into()],
            audiences: Some(vec!["a".into()]),
            emails: vec!["e@x".into()],
            skew: Duration::from_secs(30),
        };
        let mut claims = Claims {
            issuer: "j".into(),
            audience: "a".into(),
            expires: 4600,
            issued: 1000,
            not_before: None,
            email: Some("e@x".into()),
            email_verified: true,
        };
        change(&mut claims);
        policy.judge(claims, SystemTime::UNIX_EPOCH + Duration::from_secs(now))
    }

    #[test]
    fn times_count_to_the_second_with_the_skew() {
        let good = Ok(Sender::Vouched { email: "e@x".into() });
        for now in [970, 1000, 4600, 4629] {
            assert_eq!(judge(|_| {}, now), good, "{now}");
        }
        assert_eq!(judge(|_| {}, 969), Err(AuthError::NotYetValid));
        assert_eq!(judge(|_| {}, 4630), Err(AuthError::Expired));
        assert_eq!(judge(|claims| claims.not_before = Some(2000), 1969), Err(AuthError::NotYetValid));
        assert_eq!(judge(|claims| claims.not_before = Some(2000), 1970), good);
        assert_eq!(judge(|claims| claims.expires = u64::MAX, 2000), good);
        assert_eq!(judge(|claims| claims.issued = u64::MAX, 2000), Err(AuthError::NotYetValid));
    }

    #[test]
    fn issuer_audience_and_account_are_compared_whole() {
        for other in ["", "I", "i ", "ii", "https://i"] {
            assert_eq!(judge(|claims| claims.issuer = other.into(), 2000), Err(AuthError::Issuer), "{other}");
        }
        for other in ["", "A", "a/", "aa", "a,a"] {
            assert_eq!(judge(|claims| claims.audience = other.into(), 2000), Err(AuthError::Audience), "{other}");
        }
        for other in ["", "E@x", "e@x.com", "e@x "] {
            assert_eq!(judge(|claims| claims.email = Some(other.into()), 2000), Err(AuthError::Email), "{other}");
        }
        assert_eq!(judge(|claims| claims.email = None, 2000), Err(AuthError::Email));
        assert_eq!(judge(|claims| claims.email_verified = false, 2000), Err(AuthError::EmailNotVerified));
    }
}

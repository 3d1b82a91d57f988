//! Who sent a request, judged on its headers before its body is read.
//!
//! Three modes, since what can be checked differs with who has looked at the token before:
//!
//! - **oidc**: nobody has. The host checks the token itself: RS256 by the issuer's keys, issuer, times, audience, account.
//! - **iam**: Cloud Run has, and let the request in. It then replaces the token's signature by a text, so it can't be
//!   checked again; the host looks at what the token says. This rests on the platform alone, hence on the service not
//!   being public: for a public one nobody checks a token, and anybody can write one with that text behind it.
//! - **none**: there is no token, as with the emulator.

mod bearer;
mod cache;
mod error;
mod fetch;
mod freshness;
mod jwks;
mod policy;
mod token;

use std::sync::Arc;
use std::time::SystemTime;

use hyper::HeaderMap;

pub use error::{AuthError, AuthSetupError};
pub use token::{Claims, Header, Part, Token, TokenError};

use self::cache::KeyCache;
use self::fetch::KeySource;
use self::policy::Policy;
use crate::config::{AuthMode, CLOCK_SKEW, GOOGLE_ISSUERS};

/// The one algorithm that counts. It is fixed here, not taken from the token, whose header a stranger writes.
const ALGORITHM: &str = "RS256";

/// Judges who may deliver.
pub struct Authenticator(Judge);

enum Judge {
    Anybody,
    Iam(Policy),
    Oidc(Policy, Arc<KeyCache>),
}

/// Who sent a request, as far as the mode can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Anybody: the mode asks nobody who they are.
    Anybody,
    /// One of the configured accounts: a token proves it.
    Vouched {
        /// The account.
        email: String,
    },
}

impl Authenticator {
    /// An authenticator of this mode. It asks nobody anything yet: keys are fetched once [`Self::prepare`] is
    /// called, or the first token needs them.
    ///
    /// # Errors
    /// Where the mode needs TLS and the machine's root certificates can't be read.
    pub fn new(mode: AuthMode) -> Result<Self, AuthSetupError> {
        let judge = match mode {
            AuthMode::None => Judge::Anybody,
            AuthMode::Iam(config) => Judge::Iam(Policy {
                issuers: GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
                audiences: (!config.audiences.is_empty()).then_some(config.audiences),
                emails: config.emails,
                skew: CLOCK_SKEW,
            }),
            AuthMode::Oidc(config) => {
                let keys = Arc::new(KeyCache::new(KeySource::new(&config)?));
                let policy = Policy {
                    issuers: config.issuers,
                    audiences: Some(config.audiences),
                    emails: config.emails,
                    skew: config.skew,
                };
                Judge::Oidc(policy, keys)
            }
        };
        Ok(Self(judge))
    }

    /// Begins to fetch what the mode needs, so that the first delivery doesn't wait for it. Call it within a tokio
    /// runtime.
    pub fn prepare(&self, now: SystemTime) {
        if let Judge::Oidc(_, keys) = &self.0 {
            keys.prepare(now);
        }
    }

    /// Judges a request by its headers; `now` is the wall clock. It waits only where a token is signed with a key that
    /// is not known yet, and then for one fetch at most.
    ///
    /// # Errors
    /// Where the mode asks for a sender that the headers don't prove.
    pub async fn authenticate(&self, headers: &HeaderMap, now: SystemTime) -> Result<Sender, AuthError> {
        match &self.0 {
            Judge::Anybody => Ok(Sender::Anybody),
            Judge::Iam(policy) => {
                let token = Token::parse(bearer::that_the_platform_checked(headers)?)?;
                if !token.is_stripped() {
                    return Err(AuthError::UncheckedSignature);
                }
                policy.judge(token.claims, now)
            }
            Judge::Oidc(policy, keys) => {
                let token = Token::parse(bearer::authorization(headers)?)?;
                if token.is_stripped() {
                    return Err(AuthError::StrippedSignature);
                }
                if token.header.algorithm != ALGORITHM {
                    return Err(AuthError::WrongAlgorithm);
                }
                let id = token.header.key_id.as_deref().ok_or(AuthError::NoKeyId)?;
                if !keys.key(id, now).await?.verifies(&token) {
                    return Err(AuthError::BadSignature);
                }
                policy.judge(token.claims, now)
            }
        }
    }
}

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;

use super::reader::Reader;

/// Where Google publishes the keys of its ID tokens, as a JWK Set. Its discovery document names the address
/// (`jwks_uri` in <https://accounts.google.com/.well-known/openid-configuration>).
pub const GOOGLE_JWKS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Who signs Google's ID tokens, in both forms that its tokens have had.
pub const GOOGLE_ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// How far two clocks may be apart. Google's and the platform's are kept within a second; the rest is for a machine
/// that was paused. It is less than a hundredth of the hour for which a token is good.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// How long a request for the keys may take in all: less than the 10 s after which Pub/Sub, by default, gives up on
/// the delivery that waits for them.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Who may deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMode {
    /// Anybody who reaches the port; the signature alone decides.
    None,
    /// Whom the platform let in, and whose token then names a configured account. The token is not checked again: the
    /// platform has taken its signature away.
    Iam(IamConfig),
    /// Whose ID token holds in every respect: signature, issuer, times, audience, account.
    Oidc(OidcConfig),
}

/// What the token that the platform has checked must say besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamConfig {
    /// The service accounts that may deliver, at least one.
    pub emails: Vec<String>,
    /// The audiences that count; where there is none, any that the platform lets in.
    pub audiences: Vec<String>,
}

/// What a token must say, and who must have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// The service accounts that may deliver, at least one.
    pub emails: Vec<String>,
    /// The audiences that count, at least one.
    pub audiences: Vec<String>,
    /// The issuers that count, at least one.
    pub issuers: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks_url: JwksUrl,
    /// How far the issuer's clock and this one may be apart.
    pub skew: Duration,
    /// How long a request for the keys may take in all.
    pub fetch_timeout: Duration,
}

impl AuthMode {
    /// What an operator can rely on, in a sentence for the log.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::None => {
                "whoever reaches the port may deliver; the signature alone decides (`auth` is none)".to_owned()
            }
            Self::Iam(config) => format!(
                "{} may deliver, as far as Cloud Run has checked it (`auth` is iam): the service must ask for \
                 authentication (--no-allow-unauthenticated), or anybody can claim to be that account",
                config.emails.join(", ")
            ),
            Self::Oidc(config) => format!(
                "{} may deliver, with a token for {} that keys from {} have signed (`auth` is oidc)",
                config.emails.join(", "),
                config.audiences.join(", "),
                config.jwks_url
            ),
        }
    }
}

impl OidcConfig {
    /// Google's tokens, for these accounts and audiences.
    #[must_use]
    pub fn new(emails: Vec<String>, audiences: Vec<String>, jwks_url: JwksUrl) -> Self {
        let issuers = GOOGLE_ISSUERS.map(str::to_owned).to_vec();
        Self { emails, audiences, issuers, jwks_url, skew: CLOCK_SKEW, fetch_timeout: FETCH_TIMEOUT }
    }
}

/// The URL of a JWK Set. Who can change what it gives can sign anything, so it is https, or stays on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl JwksUrl {
    /// The URL.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether the keys come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no_url = || format!("{text:?} is no URL of a JWK Set; write one such as {GOOGLE_JWKS_URL}");
        let uri: Uri = text.parse().map_err(|_| no_url())?;
        let host = uri.host().ok_or_else(no_url)?;
        match uri.scheme_str() {
            Some("https") => Ok(Self(uri)),
            Some("http") if is_loopback(host) => Ok(Self(uri)),
            Some("http") => Err(format!(
                "{text:?} is not https, so anybody on the way could put keys of their own in; only a loopback address may be http"
            )),
            _ => Err(no_url()),
        }
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[derive(Clone, Copy)]
enum Word {
    None,
    Iam,
    Oidc,
}

impl Reader<'_> {
    /// The mode and what belongs to it. A host that serves anybody should not come about by leaving something out, so
    /// neither the mode nor an account has a default.
    pub(super) fn auth(&mut self, warnings: &mut Vec<String>) -> Option<AuthMode> {
        self.required(
            "auth",
            "say in words who may deliver: --auth oidc for a public service, --auth iam where Cloud Run asks for \
             authentication, --auth none for the emulator and local work",
        );
        let word = self.word("auth", &[("none", Word::None), ("iam", Word::Iam), ("oidc", Word::Oidc)]);
        let emails = self.each("auth-email", email);
        let audiences = self.each("auth-audience", without_spaces);
        let issuers = self.each("auth-issuer", without_spaces);
        let jwks_url = self.one("auth-jwks-url", JwksUrl::from_str);
        let word = word?;
        let (idle, mode): (&[&str], _) = match word {
            Word::None => (&["auth-email", "auth-audience", "auth-issuer", "auth-jwks-url"], Some(AuthMode::None)),
            Word::Iam => {
                let emails = self.some_email(emails);
                let mode = (|| Some(AuthMode::Iam(IamConfig { emails: emails?, audiences: audiences? })))();
                (&["auth-issuer", "auth-jwks-url"], mode)
            }
            Word::Oidc => {
                let emails = self.some_email(emails);
                let audiences = self.some(
                    "auth-audience",
                    audiences,
                    "`auth` is oidc, which takes tokens for one audience: name the one of the push subscription, by \
                     default its endpoint, for example --auth-audience https://events-abc.a.run.app/events",
                );
                let mode = (|| {
                    let mut config = OidcConfig::new(emails?, audiences?, jwks_url?);
                    let issuers = issuers?;
                    if !issuers.is_empty() {
                        config.issuers = issuers;
                    }
                    Some(AuthMode::Oidc(config))
                })();
                (&[], mode)
            }
        };
        if matches!(word, Word::None) && self.on_cloud_run() {
            warnings.push(
                "auth: this is a service of Cloud Run's, and with `none` anybody who may invoke it may deliver; the \
                 signature alone decides. Set `auth` to iam, or to oidc where the service is public"
                    .into(),
            );
        }
        for name in idle {
            if self.is_set(name) {
                warnings.push(format!("{name}: it changes nothing in this mode of `auth`"));
            }
        }
        mode
    }

    fn some_email(&mut self, emails: Option<Vec<String>>) -> Option<Vec<String>> {
        let advice = "any service account of any project can get a token for any audience, so a token alone says \
                      little: name the account of the push subscription, for example \
                      --auth-email push@PROJECT.iam.gserviceaccount.com";
        self.some("auth-email", emails, advice)
    }

    /// What was read, where it is not empty.
    fn some(&mut self, name: &str, read: Option<Vec<String>>, advice: &str) -> Option<Vec<String>> {
        let read = read?;
        if read.is_empty() {
            self.problem(name, None, format_args!("it is not set: {advice}"));
            return None;
        }
        Some(read)
    }
}

fn email(text: &str) -> Result<String, String> {
    let whole = text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if whole && !text.contains(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no account's address; write one such as push@PROJECT.iam.gserviceaccount.com"))
}

fn without_spaces(text: &str) -> Result<String, String> {
    let spaced = text.contains(char::is_whitespace);
    if spaced { Err(format!("{text:?} has a space in it; put commas between several")) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for text in [GOOGLE_JWKS_URL, "http://127.0.0.1:9/certs", "http://[::1]:9/", "http://localhost/certs"] {
            assert!(text.parse::<JwksUrl>().is_ok(), "{text}");
        }
        for text in ["", "/certs", "certs", "ftp://127.0.0.1/", "http://", "http://127.0.0.1.example.com/certs"] {
            assert!(text.parse::<JwksUrl>().is_err(), "{text}");
        }
        assert!("http://www.googleapis.com/oauth2/v3/certs".parse::<JwksUrl>().unwrap_err().contains("not https"));
    }

    #[test]
    fn an_account_is_an_address() {
        assert!(email("push@p.iam.gserviceaccount.com").is_ok());
        for text in ["push", "@p", "push@", "a b@c"] {
            assert!(email(text).unwrap_err().contains(text), "{text}");
        }
    }
}

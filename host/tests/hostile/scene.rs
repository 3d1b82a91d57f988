//! Who is there: the issuer of the tokens, another issuer that nobody should listen to, and a publisher.

use std::time::SystemTime;

use tidemill_events::signature::v2;
use tidemill_events::{Envelope, Event, Key, Message, Signer};

use crate::common::issuer::{Issuer, Published, REMOVED, SigningKey, with_signature};
use crate::common::{KEY, delivery, event};
use crate::row::{Good, Mode};
use crate::wire::Http;

/// Each run of a handler prints this.
pub(crate) const MARK: &str = "a handler ran";
/// The event type that good events are of.
pub(crate) const TYPE: &str = "script";
/// Another type that the handler serves.
pub(crate) const OTHER_TYPE: &str = "account.closed";
/// A source that is taken without a signature where a token vouches for the sender.
pub(crate) const UNSIGNED_SOURCE: &str = "projects/p/subscriptions/uploads";
/// The second key that hosts hold.
pub(crate) const SECOND_KEY: &str = "k2=n3w";

pub(crate) struct Scene {
    pub(crate) issuer: Issuer,
    /// An attacker's. It publishes the key `b`, and no host may ever ask it.
    pub(crate) evil: Issuer,
    pub(crate) now: SystemTime,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let (issuer, evil) = (Issuer::start().await, Issuer::start().await);
        evil.publish(Published::keys(&[&SigningKey::b()]));
        let now = issuer.now;
        Self { issuer, evil, now }
    }

    /// An event of now, which prints the mark where it runs.
    pub(crate) fn event(&self) -> Event {
        Event { time: self.now, ..event(TYPE, format!(r#"[{{"stdout":"{MARK}"}}]"#).as_bytes()) }
    }

    /// An event's delivery, signed by both versions.
    pub(crate) fn signed(&self, event: &Event) -> Envelope {
        Envelope { message: Signer::new(key()).sign(event).into_message(), delivery: delivery() }
    }

    /// A good delivery, but for what is changed after signing.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Message)) -> Envelope {
        let mut envelope = self.signed(&self.event());
        change(&mut envelope.message);
        envelope
    }

    /// A good delivery, but for what is changed before signing, by version 2.
    pub(crate) fn resigned(&self, change: impl FnOnce(&mut Message)) -> Envelope {
        self.changed(|message| {
            change(message);
            message.attributes.remove("signature");
            resign(message);
        })
    }

    /// A request with this body, from a sender that has what the host asks for.
    pub(crate) fn request(&self, host: Mode, body: impl Into<Vec<u8>>) -> Http {
        let http = Http::post(body);
        match host {
            Mode::Oidc => http.header("Authorization", self.token()),
            Mode::Iam => http.header("Authorization", self.stripped_token()),
            Mode::NoAuth | Mode::V1 => http,
        }
    }

    /// A delivery from a sender that has what the host asks for.
    pub(crate) fn delivery(&self, host: Mode, envelope: &Envelope) -> Http {
        self.request(host, envelope.encode())
    }

    pub(crate) fn good(&self, host: Mode) -> Good {
        self.good_of(host, &self.signed(&self.event()))
    }

    pub(crate) fn good_of(&self, host: Mode, envelope: &Envelope) -> Good {
        Good { message_id: envelope.delivery.message_id.clone(), bytes: self.delivery(host, envelope).bytes() }
    }

    /// A good `Authorization` for `oidc`.
    pub(crate) fn token(&self) -> String {
        format!("Bearer {}", self.issuer.token(|_| {}))
    }

    /// A good one for `iam`.
    pub(crate) fn stripped_token(&self) -> String {
        format!("Bearer {}", with_signature(&self.issuer.token(|_| {}), REMOVED))
    }
}

pub(crate) fn key() -> Key {
    KEY.parse().unwrap()
}

/// Signs a message anew by version 2.
pub(crate) fn resign(message: &mut Message) {
    message.attributes.remove("signature-v2");
    let signature = v2::sign(&key(), message);
    message.attributes.insert("signature-v2".into(), signature);
}

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use google_cloud_auth::credentials::{Builder, CacheableResource};
use hyper::HeaderMap;
use hyper::http::Extensions;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_events::Envelope;
use tidemill_publisher::EmulatorHost;
use tokio::time::sleep;

use crate::output::progress;

/// Google's Pub/Sub.
const PUBSUB: &str = "https://pubsub.googleapis.com";
/// What a token has to allow.
const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// How often in a row a subscription may have nothing, and how long between, until what it has given is taken for all that
/// it has: none says that it is empty.
const SILENCES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// Messages that are asked for at once, of 10 MB each at most.
const AT_ONCE: usize = 20;
/// Bytes of data that are kept, in base64.
const MOST_BYTES: usize = 512 << 20;
/// Messages that are given back at once.
const GIVEN_BACK: usize = 500;

/// Messages of a subscription, at most so many, none of which is acknowledged: all were given back when this returns, so
/// that whoever pulls next has them again. Each counts as delivered once more.
///
/// It asks for messages rather than having them streamed: a stream has to be closed before a message is given back, or that
/// comes straight back into it, and nothing says when the server has seen the end of a stream.
pub(super) async fn borrow(name: &str, most: usize, emulator: Option<&str>) -> anyhow::Result<Vec<Envelope>> {
    let subscription = Subscription::open(name, emulator).await?;
    progress(format_args!("pulling from {name}, of which nothing is acknowledged"));
    let mut held = Held::default();
    let pulled = subscription.pull_all(most, &mut held).await;
    // Also what came before an error.
    if let Err(error) = subscription.give_back(&held.leases).await {
        progress(format_args!("{error:#}; the messages come again after the deadline of {name}"));
    }
    pulled.map(|()| held.envelopes)
}

/// What was pulled.
#[derive(Default)]
struct Held {
    envelopes: Vec<Envelope>,
    /// What each was leased under. A message whose lease has ended may come twice.
    leases: Vec<String>,
    bytes: usize,
}

/// A subscription, by Pub/Sub's HTTP interface (<https://cloud.google.com/pubsub/docs/reference/rest>).
struct Subscription<'a> {
    name: &'a str,
    client: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

#[derive(Deserialize)]
struct Pulled {
    #[serde(default, rename = "receivedMessages")]
    messages: Vec<Received>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    ack_id: String,
    message: Value,
    delivery_attempt: Option<u32>,
}

impl<'a> Subscription<'a> {
    /// At the emulator, or else at Google's, with the application's default credentials.
    async fn open(name: &'a str, emulator: Option<&str>) -> anyhow::Result<Self> {
        // Both clients want a default. Losing a race against another thread that installs one is fine.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        let (base, headers) = match emulator {
            Some(host) => {
                let host: EmulatorHost = host.parse().context("PUBSUB_EMULATOR_HOST")?;
                (format!("http://{host}"), HeaderMap::new())
            }
            None => (PUBSUB.to_owned(), token().await.with_context(|| format!("{name} can't be pulled from"))?),
        };
        let client = reqwest::Client::builder().timeout(REQUEST).build()?;
        Ok(Self { name, client, base, headers })
    }

    async fn pull_all(&self, most: usize, held: &mut Held) -> anyhow::Result<()> {
        let mut silences = 0;
        while held.envelopes.len() < most && held.bytes < MOST_BYTES && silences < SILENCES {
            let ask = AT_ONCE.min(most - held.envelopes.len());
            let answer = self.call("pull", &json!({ "maxMessages": ask, "returnImmediately": true })).await?;
            let Pulled { messages } = serde_json::from_slice(&answer)
                .with_context(|| format!("{} can't be pulled from: its answer is none", self.name))?;
            if messages.is_empty() {
                silences += 1;
                sleep(PAUSE).await;
                continue;
            }
            silences = 0;
            for message in messages {
                self.hold(message, held)?;
            }
        }
        Ok(())
    }

    /// Keeps a message, as a push of the same subscription would have brought it.
    fn hold(&self, received: Received, held: &mut Held) -> anyhow::Result<()> {
        let Received { ack_id, message, delivery_attempt } = received;
        held.leases.push(ack_id);
        let mut push = json!({ "message": message, "subscription": self.name });
        if let (Some(attempt), Some(fields)) = (delivery_attempt.filter(|attempt| *attempt > 0), push.as_object_mut()) {
            fields.insert("deliveryAttempt".to_owned(), attempt.into());
        }
        let push = push.to_string();
        let envelope = Envelope::decode(push.as_bytes())
            .with_context(|| format!("{} gave a message that no push would bring", self.name))?;
        let id = &envelope.delivery.message_id;
        if !held.envelopes.iter().any(|there| there.delivery.message_id == *id) {
            held.bytes += push.len();
            held.envelopes.push(envelope);
        }
        Ok(())
    }

    /// Ends leases, so that their messages are there for others at once.
    async fn give_back(&self, leases: &[String]) -> anyhow::Result<()> {
        for leases in leases.chunks(GIVEN_BACK) {
            self.call("modifyAckDeadline", &json!({ "ackIds": leases, "ackDeadlineSeconds": 0 })).await?;
        }
        Ok(())
    }

    async fn call(&self, verb: &str, body: &Value) -> anyhow::Result<Bytes> {
        let failed = || format!("{} can't be pulled from", self.name);
        let request = self.client.post(format!("{}/v1/{}:{verb}", self.base, self.name)).headers(self.headers.clone());
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await;
        let answer = answer.map_err(reqwest::Error::without_url).with_context(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(reqwest::Error::without_url).with_context(failed)?;
        if !status.is_success() {
            bail!("{}: {verb}: {status}: {}", failed(), said(&body));
        }
        Ok(body)
    }
}

/// The headers of a request that the application's default credentials allow.
async fn token() -> anyhow::Result<HeaderMap> {
    let credentials = Builder::default().with_scopes([SCOPE]).build()?;
    match credentials.headers(Extensions::new()).await? {
        CacheableResource::New { data, .. } => Ok(data),
        CacheableResource::NotModified => Err(anyhow!("the credentials give no token")),
    }
}

/// What Google says in an answer that is an error.
fn said(body: &[u8]) -> String {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let message = said.as_ref().and_then(|said| said.get("error")?.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect(), str::to_owned)
}

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

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

use super::source::Record;
use crate::output::progress;

/// Google's Pub/Sub.
const PUBSUB: &str = "https://pubsub.googleapis.com";
/// What a token has to allow.
const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// How often in a row a subscription may have nothing new, and how long between, until what it has given is taken for all
/// that it has: none says that it is empty.
const SILENCES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How long may be pulled in all. It is looked at between two requests.
const PULLING: Duration = Duration::from_secs(120);
/// How many seconds a message is held for, so that it doesn't come again while others are pulled: the most that there is
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/modifyAckDeadline>).
const HELD: u32 = 600;
/// Messages that are asked for at once, of 10 MB each at most.
const AT_ONCE: usize = 20;
/// Bytes of data that are kept, in base64.
const MOST_BYTES: usize = 512 << 20;
/// Leases that are held longer, or ended, at once.
const LEASES: usize = 500;

/// Messages of a subscription, at most so many, none of which is acknowledged: all were given back when this returns, so
/// that whoever pulls next has them again. Each counts as delivered once more.
///
/// It asks for messages rather than having them streamed: a stream has to be closed before a message is given back, or that
/// comes straight back into it, and nothing says when the server has seen the end of a stream.
pub(super) async fn borrow(name: &str, most: usize, emulator: Option<&str>) -> anyhow::Result<Vec<Record>> {
    let subscription = Subscription::open(name, emulator).await?;
    progress(format_args!("pulling from {name}, of which nothing is acknowledged"));
    let mut held = Held::default();
    let pulled = subscription.pull_all(most, &mut held).await;
    // Also what came before an error.
    if let Err(error) = subscription.lease(&held.leases, 0).await {
        progress(format_args!("{error:#}; messages that were not given back come again after {HELD} seconds at most"));
    }
    pulled.map(|()| held.records)
}

/// What was pulled.
#[derive(Default)]
struct Held {
    records: Vec<Record>,
    /// What was there already. A message whose lease has ended may come twice.
    ids: BTreeSet<String>,
    /// What each was leased under, each time that it came.
    leases: Vec<String>,
    bytes: usize,
}

impl Held {
    /// Keeps a message that wasn't there yet, as a push of the same subscription would have brought it. One that no push
    /// would bring is kept as what can't be read.
    fn keep(&mut self, received: Received, subscription: &str) {
        let Received { message, delivery_attempt, .. } = received;
        let id = message.get("messageId").and_then(Value::as_str).unwrap_or("a message without an id").to_owned();
        if !self.ids.insert(id.clone()) {
            return;
        }
        let mut push = json!({ "message": message, "subscription": subscription });
        if let (Some(attempt), Some(fields)) = (delivery_attempt.filter(|attempt| *attempt > 0), push.as_object_mut()) {
            fields.insert("deliveryAttempt".to_owned(), attempt.into());
        }
        let push = push.to_string();
        self.bytes += push.len();
        let envelope = Envelope::decode(push.as_bytes()).map_err(|error| error.to_string());
        self.records.push(Record { name: id, envelope });
    }
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
        let (start, mut silences) = (Instant::now(), 0);
        while held.records.len() < most && held.bytes < MOST_BYTES && silences < SILENCES {
            if start.elapsed() >= PULLING {
                let (count, seconds) = (held.records.len(), PULLING.as_secs());
                progress(format_args!("pulled for {seconds} seconds: goes on with the {count} messages that came"));
                break;
            }
            let ask = AT_ONCE.min(most - held.records.len());
            let answer = self.call("pull", &json!({ "maxMessages": ask, "returnImmediately": true })).await?;
            let Pulled { messages } = serde_json::from_slice(&answer)
                .with_context(|| format!("{} can't be pulled from: its answer is none", self.name))?;
            // All of them before one is read, so that each is given back whatever comes of it.
            let leases: Vec<_> = messages.iter().map(|received| received.ack_id.clone()).collect();
            held.leases.extend_from_slice(&leases);
            if let Err(error) = self.lease(&leases, HELD).await {
                progress(format_args!("{error:#}; messages may come twice"));
            }
            let before = held.records.len();
            messages.into_iter().for_each(|received| held.keep(received, self.name));
            if held.records.len() > before {
                silences = 0;
            } else {
                silences += 1;
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Sets for how many seconds from now messages are leased; with 0 they are there for others at once. Goes on after an
    /// error, and gives the first.
    async fn lease(&self, leases: &[String], seconds: u32) -> anyhow::Result<()> {
        let mut all = Ok(());
        for leases in leases.chunks(LEASES) {
            let done =
                self.call("modifyAckDeadline", &json!({ "ackIds": leases, "ackDeadlineSeconds": seconds })).await;
            all = all.and(done.map(drop));
        }
        all
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

use std::time::Duration;

use anyhow::{Context, anyhow};
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_pubsub::client::{Subscriber, SubscriptionAdmin};
use google_cloud_pubsub::model;
use google_cloud_pubsub::subscriber::ShutdownBehavior;
use tidemill_events::{Delivery, Envelope, Message};
use tidemill_publisher::EmulatorHost;
use tokio::time::{sleep, timeout};

use crate::output::progress;

/// How long Pub/Sub has to say whether there is such a subscription.
const REACHED: Duration = Duration::from_secs(10);
/// How long a subscription may be silent until what it has given is taken for all that it has: none says that it is empty.
const SILENCE: Duration = Duration::from_secs(5);
/// For how long a message is held at a time: the least that there is, so that one that is not given back comes again soon.
const LEASE: Duration = Duration::from_secs(10);
/// How long the server has to see that nobody reads any more.
const CLOSING: Duration = Duration::from_millis(500);
/// How long it may take to give the messages back.
const RELEASE: Duration = Duration::from_secs(10);
/// Bytes of messages that are held at once.
const HELD: i64 = 256 << 20;

/// Messages of a subscription, at most so many, none of which is acknowledged: all were given back when this returns, so
/// that whoever pulls next has them again. Each counts as delivered once more.
pub(super) async fn borrow(name: &str, most: usize, emulator: Option<&str>) -> anyhow::Result<Vec<Envelope>> {
    // Google's client panics without a default. Losing a race against another thread that installs one is fine.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        _ = rustls::crypto::ring::default_provider().install_default();
    }
    let emulator = emulator.map(endpoint).transpose()?;
    reach(name, emulator.as_deref()).await?;
    let mut client = Subscriber::builder();
    if let Some(endpoint) = emulator {
        client = client.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
    }
    let client = client.build().await.with_context(|| format!("{name} can't be pulled from"))?;
    progress(format_args!("pulling from {name}, of which nothing is acknowledged"));
    let mut stream = client
        .subscribe(name)
        .set_max_outstanding_messages(i64::try_from(most).unwrap_or(i64::MAX))
        .set_max_outstanding_bytes(HELD)
        .set_max_lease_extension(LEASE)
        .set_shutdown_behavior(ShutdownBehavior::WaitForProcessing)
        .build();
    // What is dropped is given back at once, and might come again while others are still waited for.
    let (mut held, mut envelopes) = (Vec::new(), Vec::new());
    let ended = loop {
        if envelopes.len() >= most {
            break Ok(());
        }
        match timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok((message, handler)))) => {
                envelopes.push(envelope(name, message, handler.delivery_attempt()));
                held.push(handler);
            }
            Ok(Some(Err(error))) => break Err(anyhow!(error).context(format!("{name} can't be pulled from"))),
            Ok(None) | Err(_) => break Ok(()),
        }
    };
    // First the stream is closed: what is given back while it is open comes straight back into it, and is nobody's.
    let shutdown = stream.shutdown_token();
    drop(stream);
    sleep(CLOSING).await;
    drop(held);
    let released = timeout(RELEASE, shutdown.shutdown()).await;
    if released.is_err() {
        progress(format_args!(
            "{name}: the messages could not be given back at once; they come again after its deadline"
        ));
    }
    ended.map(|()| envelopes)
}

/// The address of the emulator at this host.
fn endpoint(host: &str) -> anyhow::Result<String> {
    let host: EmulatorHost = host.parse().context("PUBSUB_EMULATOR_HOST")?;
    Ok(format!("http://{host}"))
}

/// Makes sure that there is somebody to pull from: the stream itself tries again in silence where it reaches nobody, which
/// looks like a subscription without messages.
async fn reach(name: &str, emulator: Option<&str>) -> anyhow::Result<()> {
    let unreached = || format!("{name} can't be pulled from");
    let mut client = SubscriptionAdmin::builder();
    if let Some(endpoint) = emulator {
        client = client.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
    }
    let client = client.with_retry_policy(NeverRetry).build().await.with_context(unreached)?;
    match timeout(REACHED, client.get_subscription().set_subscription(name).send()).await {
        Ok(Ok(_)) => Ok(()),
        // Who may pull from it may not always look at it. The pull tells.
        Ok(Err(error)) if error.status().is_some_and(|status| status.code == Code::PermissionDenied) => Ok(()),
        Ok(Err(error)) => Err(error).with_context(unreached),
        Err(_) => Err(anyhow!("Pub/Sub did not answer within {REACHED:?}")).with_context(unreached),
    }
}

/// The message as a push of the same subscription would have brought it.
fn envelope(subscription: &str, message: model::Message, attempt: Option<i32>) -> Envelope {
    let publish_time = message.publish_time.and_then(|time| std::time::SystemTime::try_from(time).ok());
    let delivery = Delivery {
        message_id: message.message_id,
        subscription: subscription.to_owned(),
        attempt: attempt.and_then(|attempt| u32::try_from(attempt).ok()),
        publish_time,
        ..Delivery::default()
    };
    let ordering_key = Some(message.ordering_key).filter(|key| !key.is_empty());
    let attributes = message.attributes.into_iter().collect();
    Envelope { message: Message { data: message.data.into(), attributes, ordering_key }, delivery }
}

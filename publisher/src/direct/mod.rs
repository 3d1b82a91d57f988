//! Posting events straight to a host, with no broker between.

mod answer;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tidemill_events::{Delivery, Envelope, Event};
use uuid::Uuid;

pub use url::{EventsUrl, EventsUrlError};

use crate::limits;
use crate::new_event::now;
use crate::{DEFAULT_TIME_LIMIT, MessageId, PublishError, Publisher, Publishing, Signing};

/// Posts each event to a host's `POST /events`, over HTTP/1, in the envelope that a push subscription would use.
///
/// For local work and tests: nothing stands between the caller and the handler, so `publish` waits until the handler has
/// finished, and a failure is the caller's to repeat. The message id is a UUIDv7 made here.
#[derive(Debug, Clone)]
pub struct Direct {
    client: Client<HttpConnector, Full<Bytes>>,
    url: EventsUrl,
    signing: Arc<dyn Signing>,
    time_limit: Duration,
}

impl Direct {
    /// A publisher that posts to `url` what `signing` has signed, and waits up to [`DEFAULT_TIME_LIMIT`] for an answer.
    #[must_use]
    pub fn new(url: EventsUrl, signing: impl Signing + 'static) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
        Self { client, url, signing: Arc::new(signing), time_limit: DEFAULT_TIME_LIMIT }
    }

    /// Sets how long to wait for the host's answer, which comes when the handler has finished.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    async fn post(&self, event: &Event) -> Result<MessageId, PublishError> {
        let message = limits::sign(&*self.signing, event)?.into_message();
        let message_id = MessageId::new(Uuid::now_v7());
        let delivery = Delivery {
            message_id: message_id.as_str().to_owned(),
            publish_time: Some(now()),
            // No subscription and no attempt: there is no broker to have one, or to count.
            ..Delivery::default()
        };
        let mut request = Request::post(self.url.uri().clone());
        request = request.header(CONTENT_TYPE, "application/json");
        let body = Full::from(Envelope { message, delivery }.encode());
        let request = request.body(body).map_err(|error| self.unreachable(error))?;

        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| self.unreachable(error))?;
            answer::read(&self.url, response).await
        };
        tokio::time::timeout(self.time_limit, exchange)
            .await
            .map_err(|_| PublishError::Timeout { destination: self.url.to_string(), limit: self.time_limit })??;
        Ok(message_id)
    }

    fn unreachable(&self, error: impl std::error::Error + Send + Sync + 'static) -> PublishError {
        PublishError::Unreachable { destination: self.url.to_string(), source: error.into() }
    }
}

impl Publisher for Direct {
    fn publish<'a>(&'a self, event: &'a Event) -> Publishing<'a> {
        Box::pin(self.post(event))
    }
}

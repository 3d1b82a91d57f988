use http_body_util::{BodyExt, Limited};
use hyper::Response;
use hyper::body::Incoming;

use super::EventsUrl;
use crate::PublishError;

/// How many bytes of an answer are read: a host's own are a few hundred.
const MAX_BODY: usize = 64 << 10;
/// How many characters of an answer that is no host's are repeated.
const MAX_QUOTE: usize = 200;

/// What a host says of a delivery that it didn't acknowledge.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Refusal {
    code: Option<String>,
    reason: Option<String>,
}

/// Gives `Ok` where the host acknowledged the event: any 2xx.
pub(super) async fn read(url: &EventsUrl, response: Response<Incoming>) -> Result<(), PublishError> {
    let status = response.status();
    // Read in either case, so that the connection can be used again. An answer that can't be read changes nothing:
    // the status has said what became of the event.
    let body =
        Limited::new(response.into_body(), MAX_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if status.is_success() {
        return Ok(());
    }
    let Refusal { code, reason } = serde_json::from_slice(&body).unwrap_or_default();
    let reason = reason.unwrap_or_else(|| quote(&body));
    Err(PublishError::Host { url: url.to_string(), status: status.as_u16(), code, reason })
}

fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() { "no reason given".to_owned() } else { text.chars().take(MAX_QUOTE).collect() }
}

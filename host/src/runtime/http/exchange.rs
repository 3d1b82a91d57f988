use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::error;
use super::refusal::Told;
use crate::outgoing::{Connector, OutgoingLimits};

/// How long each stage of an exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    connect: Duration,
    first_byte: Duration,
    /// The time between two pieces of the answer.
    pub(super) between_bytes: Duration,
}

impl Timeouts {
    /// The host's, and the guest's where they are shorter.
    pub(super) fn new(limits: OutgoingLimits, options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let shorter = |host: Duration, guest: Option<Duration>| guest.map_or(host, |guest| guest.min(host));
        Self {
            connect: shorter(limits.connect_timeout, options.connect_timeout),
            first_byte: shorter(limits.timeout, options.first_byte_timeout),
            between_bytes: shorter(limits.timeout, options.between_bytes_timeout),
        }
    }
}

/// Sends a request, over a connection that is there or a new one, and gives the answer once its head is here.
pub(super) async fn exchange(
    client: &Client<Connector, WasiBody>,
    mut request: Request<WasiBody>,
    timeouts: Timeouts,
    told: &Told,
) -> Result<Response<Incoming>, Error> {
    let mut connection = capture_connection(&mut request);
    let connected = async { drop(connection.wait_for_connection_metadata().await) };
    let mut answered = pin!(client.request(request));
    let failed = |error| error::of_client(&error, told);
    tokio::select! {
        biased;
        // Without a connection there is an error, and no metadata ever.
        answer = &mut answered => return answer.map_err(failed),
        connected = timeout(timeouts.connect, connected) => connected.map_err(|_| Error::ConnectionTimeout)?,
    }
    timeout(timeouts.first_byte, answered).await.map_err(|_| Error::ConnectionReadTimeout)?.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_can_only_be_less_patient_than_its_host() {
        let seconds = Duration::from_secs;
        let limits = OutgoingLimits { connect_timeout: seconds(5), timeout: seconds(30), max_body: 0 };
        let timeouts = |connect, first_byte, between_bytes| {
            let options = RequestOptions {
                connect_timeout: Some(seconds(connect)),
                first_byte_timeout: Some(seconds(first_byte)),
                between_bytes_timeout: Some(seconds(between_bytes)),
            };
            let Timeouts { connect, first_byte, between_bytes } = Timeouts::new(limits, Some(options));
            [connect, first_byte, between_bytes].map(|timeout| timeout.as_secs())
        };
        assert_eq!(timeouts(1, 2, 3), [1, 2, 3]);
        assert_eq!(timeouts(600, 600, 600), [5, 30, 30]);
        let Timeouts { connect, first_byte, between_bytes } = Timeouts::new(limits, None);
        assert_eq!([connect, first_byte, between_bytes], [5, 30, 30].map(seconds));
    }
}

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::{Method, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Reach;
use super::body::{self, Longest};
use super::exchange::{Timeouts, exchange};
use super::reach::Way;
use super::refusal::{Refusal, Told};
use super::{error, stand_in};
use crate::outgoing::{Origin, OriginError};
use crate::runtime::output::{Capability, Remarks};

/// Requests that one event may send. It bounds the log lines about refused ones too.
pub(super) const MAX_REQUESTS: usize = 100;
/// Requests that one event may have open at once, from when they are sent to the end of their answer.
pub(super) const MAX_OPEN: usize = 8;

/// Bytes of a request's headers, as the engine counts them: with some fifty for each.
pub(in crate::runtime) const HEADERS: usize = 32 << 10;
/// Bytes of a body that a guest may write at once. Two such pieces of each body wait in the host's memory.
const PIECE: usize = 16 << 10;

/// Headers without which no metadata server answers: Google's, the older form of it, Amazon's.
const METADATA_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("metadata-flavor"),
    HeaderName::from_static("x-google-metadata-request"),
    HeaderName::from_static("x-aws-ec2-metadata-token"),
    HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"),
];

/// Whether a header never leaves.
pub(super) fn is_for_metadata(name: &HeaderName) -> bool {
    METADATA_HEADERS.contains(name)
}

/// Judges the requests of one event.
pub(in crate::runtime) struct Hooks {
    /// What it may reach; nothing while it is only tried out.
    reach: Option<Arc<Reach>>,
    remarks: Remarks,
    sent: usize,
    open: Arc<Semaphore>,
    /// Gone with the instance.
    alive: Arc<()>,
}

/// The places that a request takes from when it is sent to the end of its answer.
pub(super) struct Places {
    _own: OwnedSemaphorePermit,
    _shared: Option<OwnedSemaphorePermit>,
}

type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Transfer), Error>> + Send>;
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Hooks {
    pub(in crate::runtime) fn new(reach: Option<Arc<Reach>>, remarks: Remarks) -> Self {
        Self { reach, remarks, sent: 0, open: Arc::new(Semaphore::new(MAX_OPEN)), alive: Arc::new(()) }
    }

    /// Begins another event of the same instance. The one before has left nothing open.
    pub(in crate::runtime) fn begin(&mut self, remarks: Remarks) {
        (self.remarks, self.sent) = (remarks, 0);
    }

    /// Whether no request is under way: each was answered, its answer was read or let go, and its body has left or never
    /// will.
    pub(in crate::runtime) fn are_quiet(&self) -> bool {
        self.open.available_permits() == MAX_OPEN && Arc::weak_count(&self.alive) == 0
    }

    /// The request as it will leave, and its places.
    fn admit(&mut self, request: Request<WasiBody>) -> Result<Admitted, Refused> {
        let origin = Origin::of(request.uri());
        let told = || {
            let origin = origin.as_ref().map(ToString::to_string).unwrap_or_default();
            Told::of(&origin, &self.remarks)
        };
        let refused = |refusal| Refused { refusal, told: told() };
        self.sent = self.sent.saturating_add(1);
        if self.sent > MAX_REQUESTS {
            return Err(refused(Refusal::TooMany));
        }
        let Some(reach) = &self.reach else { return Err(refused(Refusal::Loading)) };
        let origin = origin.as_ref().map_err(|error| refused((*error).into()))?;
        if request.method() == Method::CONNECT {
            return Err(refused(Refusal::Connect));
        }
        if let Some(name) = request.headers().keys().find(|name| is_for_metadata(name)) {
            return Err(refused(Refusal::Header(name.clone())));
        }
        if !reach.allows(origin) {
            return Err(refused(Refusal::NotListed));
        }
        let places = self.take_places(reach).map_err(refused)?;
        let (mut parts, body) = request.into_parts();
        // What was judged leaves, not what the guest wrote.
        let url = origin.url(parts.uri.path_and_query());
        parts.uri = url.ok_or_else(|| refused(OriginError::Scheme.into()))?;
        let request = Request::from_parts(parts, body::outbound(body, Longest(reach.limits().max_body), &self.alive));
        Ok(Admitted { request, told: told(), reach: Arc::clone(reach), places })
    }

    /// An event's first open request always has its place, so that no handler takes the way out from the others; what
    /// it has open beside that it shares with them.
    fn take_places(&self, reach: &Reach) -> Result<Places, Refusal> {
        let first = self.open.available_permits() == MAX_OPEN;
        let own = Arc::clone(&self.open).try_acquire_owned().map_err(|_| Refusal::TooManyOpen)?;
        let shared = if first {
            None
        } else {
            Some(Arc::clone(reach.open()).try_acquire_owned().map_err(|_| Refusal::HostFull)?)
        };
        Ok(Places { _own: own, _shared: shared })
    }
}

/// A request that may leave.
struct Admitted {
    request: Request<WasiBody>,
    told: Told,
    reach: Arc<Reach>,
    places: Places,
}

/// A request that may not.
struct Refused {
    refusal: Refusal,
    told: Told,
}

impl WasiHttpHooks for Hooks {
    /// The client sets it, to the host that was judged.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE
    }

    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, _: Transfer) -> Sending {
        let Admitted { request, told, reach, places } = match self.admit(request) {
            Ok(admitted) => admitted,
            Err(Refused { refusal, told }) => {
                // One line about the first that is too many: the rest is known.
                if self.sent <= MAX_REQUESTS + 1 {
                    told.refused(&refusal);
                } else {
                    self.remarks.count(Capability::Http);
                }
                return Box::new(std::future::ready(Err((&refusal).into())));
            }
        };
        let timeouts = Timeouts::new(reach.limits(), options);
        let sending = async move {
            let (longest, silence) = (Longest(reach.limits().max_body), timeouts.between_bytes);
            let answer = match reach.way() {
                Way::Out(client) => {
                    let answer = exchange(client, request, timeouts, &told).await?;
                    let body = |answer: Incoming| answer.map_err(|failed| error::of_body(&failed));
                    answer.map(|answer| body::inbound(body(answer), longest, silence, told, places))
                }
                Way::StandIn(stand_in) => {
                    let answer = stand_in::ask(&**stand_in, request).await?;
                    answer.map(|answer| body::inbound(answer, longest, silence, told, places))
                }
            };
            Ok((answer, Box::new(std::future::ready(Ok(()))) as Transfer))
        };
        // What goes wrong later belongs to the event as well.
        Box::new(sending.instrument(tracing::Span::current()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty};

    use super::*;
    use crate::outgoing::{Outgoing, OutgoingConfig, SystemResolver};

    fn reach(max_open: usize) -> Option<Arc<Reach>> {
        let config = OutgoingConfig { max_open, ..OutgoingConfig::default() };
        let outgoing = Outgoing::new(&config, Arc::new(SystemResolver::default())).unwrap();
        Some(Arc::new(Reach::new(&outgoing, vec!["http://api.example".parse().unwrap()])))
    }

    fn request(method: Method) -> Request<WasiBody> {
        let body = Empty::<Bytes>::new().map_err(|error| match error {}).boxed_unsync();
        Request::builder().method(method).uri("http://API.example./path").body(body).unwrap()
    }

    fn admit(hooks: &mut Hooks) -> Result<Places, Refusal> {
        hooks.admit(request(Method::GET)).map(|admitted| admitted.places).map_err(|refused| refused.refusal)
    }

    #[test]
    fn an_event_has_so_many_requests_open_and_no_more() {
        let mut hooks = Hooks::new(reach(100), Remarks::default());
        let mut open: Vec<_> = (0..MAX_OPEN).map(|_| admit(&mut hooks).unwrap()).collect();
        assert!(matches!(admit(&mut hooks), Err(Refusal::TooManyOpen)));
        open.pop();
        assert!(admit(&mut hooks).is_ok());
    }

    /// One that opens all it can takes the shared places, and no other event's first.
    #[test]
    fn an_events_first_request_has_its_place_whatever_the_others_do() {
        let reach = reach(1);
        let (mut greedy, mut modest) =
            (Hooks::new(reach.clone(), Remarks::default()), Hooks::new(reach, Remarks::default()));
        let (_first, second) = (admit(&mut greedy).unwrap(), admit(&mut greedy).unwrap());
        assert!(matches!(admit(&mut greedy), Err(Refusal::HostFull)));
        for _ in 0..3 {
            let first = admit(&mut modest).unwrap();
            assert!(matches!(admit(&mut modest), Err(Refusal::HostFull)));
            drop(first);
        }
        drop(second);
        assert!(admit(&mut greedy).is_ok());
    }

    #[test]
    fn what_leaves_is_what_was_judged() {
        let admitted = Hooks::new(reach(0), Remarks::default()).admit(request(Method::POST)).ok().unwrap();
        assert_eq!(admitted.request.uri(), "http://api.example/path");
    }

    #[test]
    fn no_tunnel_and_nothing_while_it_is_loaded() {
        let refusal = |mut hooks: Hooks, method| hooks.admit(request(method)).err().unwrap().refusal;
        assert!(matches!(refusal(Hooks::new(reach(0), Remarks::default()), Method::CONNECT), Refusal::Connect));
        assert!(matches!(refusal(Hooks::new(None, Remarks::default()), Method::GET), Refusal::Loading));
    }
}

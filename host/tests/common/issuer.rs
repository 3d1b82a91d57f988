//! An issuer of ID tokens as Google is one: real RSA keys, its JWK Set over real HTTP, and what may go wrong with them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
use tidemill_events::Envelope;
use tidemill_host::config::OidcConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Answer, TestHost, read};

/// The account that good tokens are of.
pub const EMAIL: &str = "push@project.iam.gserviceaccount.com";
/// The audience that good tokens are for.
pub const AUDIENCE: &str = "https://events.example.com/events";
/// What Cloud Run leaves of a signature.
pub const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// An issuer that publishes its keys. It ends with the test.
pub struct Issuer {
    pub address: SocketAddr,
    /// The wall clock at the start, from which good tokens are good for an hour.
    pub now: SystemTime,
    state: Arc<State>,
    serving: AbortHandle,
}

struct State {
    answer: Mutex<Published>,
    fetches: AtomicUsize,
    open: watch::Sender<bool>,
}

/// What the issuer answers.
#[derive(Clone)]
pub struct Published {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Published {
    /// These keys, without a word on how long they may be kept.
    pub fn keys(keys: &[&SigningKey]) -> Self {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        Self { status: 200, headers: vec![], body: json!({ "keys": keys }).to_string().into_bytes() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::keys(&[&SigningKey::a()]) }
    }

    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A key of the issuer's.
pub struct SigningKey {
    id: &'static str,
    pair: KeyPair,
}

impl SigningKey {
    /// The one that good tokens are signed with.
    pub fn a() -> Self {
        Self { id: "a", pair: KeyPair::from_pkcs8(include_bytes!("../keys/a.pk8")).unwrap() }
    }

    pub fn b() -> Self {
        Self { id: "b", pair: KeyPair::from_pkcs8(include_bytes!("../keys/b.pk8")).unwrap() }
    }

    pub fn public(&self) -> PublicKeyComponents<Vec<u8>> {
        self.pair.public().into()
    }

    pub fn jwk(&self) -> Value {
        let PublicKeyComponents { n, e } = self.public();
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        json!({ "kty": "RSA", "kid": self.id, "use": "sig", "alg": "RS256", "n": n, "e": e })
    }

    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "kid": self.id, "typ": "JWT" })
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        signature
    }
}

impl Issuer {
    /// An issuer that publishes the key `a`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Mutex::new(Published::keys(&[&SigningKey::a()])),
            fetches: AtomicUsize::new(0),
            open: watch::Sender::new(true),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        #[expect(clippy::disallowed_methods, reason = "a test host judges by the wall clock, so tokens are made by it")]
        let now = SystemTime::now();
        Self { address, now, state, serving }
    }

    pub fn config(&self) -> OidcConfig {
        let url = format!("http://{}/certs", self.address).parse().unwrap();
        OidcConfig::new(vec![EMAIL.into()], vec![AUDIENCE.into()], url)
    }

    /// Changes what is answered from now on.
    pub fn publish(&self, answer: Published) {
        *self.state.answer.lock().unwrap() = answer;
    }

    /// How many requests for the keys have come.
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// Waits until so many have. A test that waits in vain is ended by this, not by a guess at speed.
    pub async fn until_fetches(&self, count: usize) {
        for _ in 0..3000 {
            if self.fetches() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} fetches, not {count}, within 30 s", self.fetches());
    }

    /// Keeps what asks waiting for an answer, until `release`.
    pub fn hold(&self) {
        self.state.open.send_replace(false);
    }

    pub fn release(&self) {
        self.state.open.send_replace(true);
    }

    /// Closes the port for good.
    pub async fn stop(&self) {
        self.serving.abort();
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// What a good token says.
    pub fn claims(&self) -> Value {
        let issued = self.now.duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({
            "iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "1047", "sub": "1047",
            "email": EMAIL, "email_verified": true, "iat": issued, "exp": issued + 3600,
        })
    }

    /// A good token, but for this.
    pub fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let key = SigningKey::a();
        let mut claims = self.claims();
        change(&mut claims);
        self.raw_token(&key.header().to_string(), &claims.to_string(), &key)
    }

    /// A good token that stays so for ever.
    pub fn lasting_token(&self, key: &SigningKey) -> String {
        let mut claims = self.claims();
        claims["exp"] = json!(u64::MAX);
        self.raw_token(&key.header().to_string(), &claims.to_string(), key)
    }

    /// Whatever is given, signed.
    pub fn raw_token(&self, header: &str, claims: &str, key: &SigningKey) -> String {
        let signed = unsigned(header, claims);
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&signed));
        format!("{signed}.{signature}")
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token's first two parts.
pub fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A token with its signature replaced.
pub fn with_signature(token: &str, signature: &str) -> String {
    format!("{}.{signature}", token.rsplit_once('.').unwrap().0)
}

impl TestHost {
    /// Posts an envelope with this `Authorization` header.
    pub async fn post_as(&self, authorization: &str, envelope: &Envelope) -> Answer {
        let uri = format!("http://{}/events", self.address);
        let request = Request::builder().method(Method::POST).uri(uri).header(AUTHORIZATION, authorization);
        let answer = self.client.request(request.body(Full::from(envelope.encode())).unwrap()).await.unwrap();
        Answer { message_id: envelope.delivery.message_id.clone(), ..read(answer).await }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |_: Request<hyper::body::Incoming>| answer(Arc::clone(&state)));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(state: Arc<State>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    state.fetches.fetch_add(1, Ordering::SeqCst);
    _ = state.open.subscribe().wait_for(|open| *open).await;
    let Published { status, headers, body } = state.answer.lock().unwrap().clone();
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(body)).unwrap())
}

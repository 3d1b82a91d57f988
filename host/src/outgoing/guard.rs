use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::address::{Standing, standing};
use super::private::is_metadata_name;
use super::{ConnectError, Host, Origin, PrivateHost, Resolve};

/// Addresses of one host that are tried, at most.
const MAX_ADDRESSES: usize = 8;

/// Finds the addresses of an origin, and lets through those alone that a handler may be connected to.
///
/// What it gives is connected to as it is: no name is looked up a second time, so that one whose answers change
/// (rebinding) gains nothing by it.
#[derive(Clone)]
pub(super) struct Guard {
    resolver: Arc<dyn Resolve>,
    private: Arc<[PrivateHost]>,
}

impl Guard {
    /// A guard that asks `resolver` and lets `private` hosts through.
    pub(super) fn new(resolver: Arc<dyn Resolve>, private: &[PrivateHost]) -> Self {
        Self { resolver, private: private.into() }
    }

    /// The addresses to connect to, at least one, the best first.
    pub(super) async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = match &origin.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) if is_metadata_name(name) => return Err(ConnectError::Metadata(origin.host.clone())),
            Host::Name(name) => self.resolve(name).await?,
        };
        self.judge(origin, &found)
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ConnectError> {
        let failed = |cause| ConnectError::Lookup { name: name.to_owned(), cause };
        let found = self.resolver.resolve(name).await.map_err(failed)?;
        if found.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, "it has none")));
        }
        Ok(found)
    }

    fn judge(&self, origin: &Origin, found: &[IpAddr]) -> Result<Vec<SocketAddr>, ConnectError> {
        let opened = self.private.iter().any(|host| host.covers(origin));
        let host = || origin.host.clone();
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in found.iter().map(IpAddr::to_canonical) {
            match standing(address) {
                Standing::Public => allowed.push(SocketAddr::new(address, origin.port)),
                Standing::Private(_) if opened => allowed.push(SocketAddr::new(address, origin.port)),
                Standing::Private(kind) => refused = Some(ConnectError::Private { host: host(), address, kind }),
                Standing::Closed(kind) => {
                    // What the operator can do something about is the better thing to say.
                    refused.get_or_insert(ConnectError::Closed { host: host(), address, kind });
                }
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => return Err(error),
            Some(error) => tracing::warn!(
                origin = %origin,
                "a name has addresses that a handler may reach and others; only the former are used: {error}"
            ),
            None => {}
        }
        allowed.truncate(MAX_ADDRESSES);
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::Resolving;
    use super::*;

    /// Gives each answer once, in their order, and then none.
    struct Answers(Mutex<Vec<Vec<IpAddr>>>);

    impl Resolve for Answers {
        fn resolve(&self, _: &str) -> Resolving {
            let mut answers = self.0.lock().unwrap();
            let next =
                if answers.is_empty() { Err(io::Error::other("asked too often")) } else { Ok(answers.remove(0)) };
            Box::pin(std::future::ready(next))
        }
    }

    fn guard(answers: &[&[&str]], private: &[&str]) -> Guard {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let private: Vec<PrivateHost> = private.iter().map(|host| host.parse().unwrap()).collect();
        Guard::new(Arc::new(Answers(Mutex::new(answers.iter().map(parse).collect()))), &private)
    }

    async fn ask(guard: &Guard, url: &str) -> Result<Vec<String>, ConnectError> {
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        Ok(guard.addresses(&origin).await?.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn of_a_names_addresses_only_public_ones_are_used() {
        let mixed = guard(&[&["127.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", "169.254.169.254", "::ffff:1.1.1.1"]], &[]);
        assert_eq!(ask(&mixed, "https://a.example").await.unwrap(), ["8.8.8.8:443", "1.1.1.1:443"]);
    }

    #[tokio::test]
    async fn a_name_without_public_addresses_is_refused_and_the_reason_says_what_opens_it() {
        let error = ask(&guard(&[&["169.254.169.254", "10.0.0.7"]], &[]), "http://a.example").await.unwrap_err();
        assert!(error.to_string().contains("10.0.0.7") && error.to_string().contains("--allow-private a.example"));
        let error = ask(&guard(&[&["169.254.169.254"]], &["a.example"]), "http://a.example").await.unwrap_err();
        assert!(matches!(error, ConnectError::Closed { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_the_operator_opens_is_that_host_alone() {
        let answers: &[&[&str]] = &[&["10.0.0.7", "169.254.169.254"]];
        let opened = ask(&guard(answers, &["mail.internal:25"]), "http://mail.internal:25").await.unwrap();
        assert_eq!(opened, ["10.0.0.7:25"]);
        for url in ["http://mail.internal:26", "http://other.internal:25"] {
            let error = ask(&guard(answers, &["mail.internal:25"]), url).await.unwrap_err();
            assert!(matches!(error, ConnectError::Private { .. }), "{url}: {error}");
        }
        // The address of a host that is opened by name is another host.
        let error = ask(&guard(answers, &["mail.internal"]), "http://10.0.0.7").await.unwrap_err();
        assert!(matches!(error, ConnectError::Private { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_metadata_server_is_refused_by_name_before_anybody_is_asked() {
        for name in ["metadata", "metadata.google.internal", "METADATA.google.internal."] {
            let error = ask(&guard(&[&["8.8.8.8"]], &[]), &format!("http://{name}")).await.unwrap_err();
            assert!(matches!(error, ConnectError::Metadata(_)), "{name}: {error}");
        }
    }

    /// What is judged is what is given, from one answer; the next connection is judged by its own.
    #[tokio::test]
    async fn a_name_that_changes_its_address_gains_nothing() {
        let rebinding = guard(&[&["8.8.8.8"], &["127.0.0.1"]], &[]);
        assert_eq!(ask(&rebinding, "http://rebind.example").await.unwrap(), ["8.8.8.8:80"]);
        assert!(ask(&rebinding, "http://rebind.example").await.is_err());
    }

    #[tokio::test]
    async fn addresses_are_bounded_and_none_is_none() {
        let many: Vec<String> = (1..100).map(|last| format!("8.8.8.{last}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(ask(&guard(&[&many], &[]), "http://a.example").await.unwrap().len(), MAX_ADDRESSES);
        let error = ask(&guard(&[&[]], &[]), "http://a.example").await.unwrap_err();
        assert!(matches!(error, ConnectError::Lookup { .. }), "{error}");
    }
}

//! TLS: who is trusted, and what is said where it isn't.

use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::json;
use tidemill_host::config::Config;
use tidemill_host::outgoing::read_roots;
use tidemill_test_artifacts::SCRIPTED;

use crate::authority::Authority;
use crate::common::{TestHost, wasm};
use crate::support::{Names, Reply, Server, get, manifest, printed, retried};

/// Servers with each of these, known by one name, and a host that trusts `authority` and whose handler may reach them.
async fn host(authority: &Authority, tls: Vec<Arc<ServerConfig>>) -> (TestHost, Vec<(Server, String)>) {
    let mut servers = Vec::new();
    for tls in tls {
        let server = Server::start_tls(tls, |_| Reply::ok("in private")).await;
        let url = format!("https://provider.test:{}", server.port());
        servers.push((server, url));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.root_as_pem()).unwrap();
    let change = |config: &mut Config| {
        config.outgoing.allow_private = vec!["provider.test".parse().unwrap()];
        config.outgoing.roots = read_roots(&file).unwrap();
    };
    let names = Names::new(&[("provider.test", &[&["127.0.0.1"]])]);
    let manifest = manifest(&servers.iter().map(|(_, url)| url.clone()).collect::<Vec<_>>());
    let host = TestHost::start_resolving(&[("scripted", &manifest, &wasm(SCRIPTED))], change, names).await;
    (host, servers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_of_the_operators_authority_is_spoken_to_and_no_other() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.server("provider.test");
    let bad = [
        stranger.server("provider.test"),
        authority.server("other.test"),
        authority.server("127.0.0.1"),
        authority.expired_server("provider.test"),
    ];
    let (host, servers) = host(&authority, [good].into_iter().chain(bad).collect()).await;
    let ((good, url), bad) = servers.split_first().unwrap();
    for _ in 0..3 {
        assert_eq!(printed(&host.script(json!([get(url)])).await), ["200 in private"]);
    }
    assert_eq!((good.connections(), good.heads().len()), (1, 3));
    for (server, url) in bad {
        let reason = retried(&host.script(json!([get(url)])).await);
        assert!(reason.contains("not one to trust"), "{reason}");
        assert_eq!((server.connections(), server.heads().len()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_apart() {
    let server = Server::start(|_| Reply::ok("in the clear")).await;
    let url = format!("https://127.0.0.1:{}", server.port());
    let raw = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let garbage = format!("https://{}", raw.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        loop {
            let (mut stream, _) = raw.accept().await.unwrap();
            _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
    });
    let manifest = manifest(&[url.clone(), garbage.clone()]);
    let change = |config: &mut Config| {
        config.outgoing.connect_timeout = std::time::Duration::from_secs(1);
    };
    let host = TestHost::start_with(&[("scripted", &manifest, &wasm(SCRIPTED))], change).await;
    let reason = retried(&host.script(json!([get(garbage)])).await);
    assert!(reason.contains("TlsProtocolError"), "{reason}");
    // It waits for the rest of a request, so it is the time for a connection that ends it.
    let reason = retried(&host.script(json!([get(url)])).await);
    assert!(reason.contains("took too long"), "{reason}");
}

#[test]
fn a_file_of_roots_is_read_or_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let two = format!("{}{}", Authority::new().root_as_pem(), Authority::new().root_as_pem());
    assert_eq!(read_roots(&write("two.pem", &two)).unwrap().len(), 2);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text, told) in [
        ("empty.pem", "", "has no certificate"),
        ("broken.pem", broken, "certificate 1 of"),
        ("cut.pem", &two[..100], "PEM"),
    ] {
        let error = read_roots(&write(name, text)).unwrap_err();
        assert!(error.contains(told) && error.contains(name), "{error}");
    }
    assert!(read_roots(&folder.path().join("away.pem")).unwrap_err().contains("away.pem"));
}

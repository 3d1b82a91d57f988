//! What no handler reaches, whatever its manifest lists, in every form that it can be written in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_host::config::{Config, Grants, HandlerValues, Quota, Terms};
use tidemill_host::outgoing::OriginPattern;
use tidemill_host::registry::Manifest;
use tidemill_test_artifacts::SCRIPTED;

use crate::common::{TestHost, log, wasm};
use crate::support::{Names, Reply, Server, assert_well, get, manifest, printed, refusals, retried};

/// Where requests must not arrive: this machine, at an address that the test's host doesn't open.
async fn forbidden() -> Server {
    Server::start_at("127.0.0.2:0", None, |_| Reply::ok("reached")).await
}

async fn host(origins: &[String], names: Arc<Names>) -> TestHost {
    TestHost::start_resolving(&[("scripted", &manifest(origins), &wasm(SCRIPTED))], |_| {}, names).await
}

#[tokio::test(flavor = "multi_thread")]
async fn private_and_metadata_addresses_that_the_manifest_lists() {
    let forbidden = forbidden().await;
    let everywhere = Server::start_at("0.0.0.0:0", None, |_| Reply::ok("reached")).await;
    let port = forbidden.port();
    let names = Names::new(&[
        ("rebind.example", &[&["169.254.169.254"]]),
        ("mapped.example", &[&["::ffff:169.254.169.254", "::ffff:127.0.0.2"]]),
        (
            "six.example",
            &[&["fd00:ec2::254", "fd20:ce::254", "fe80::1", "::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"]],
        ),
        ("loop.example", &[&["127.0.0.2"]]),
        ("inside.example", &[&["10.0.0.7", "172.16.0.7", "192.168.0.7", "100.64.0.7"]]),
        ("metadata.google.internal", &[&["8.8.8.8"]]),
        ("metadata", &[&["8.8.8.8"]]),
    ]);
    let urls = [
        "http://169.254.169.254".to_owned(),
        "http://[::ffff:169.254.169.254]".to_owned(),
        "http://[::ffff:a9fe:a9fe]".to_owned(),
        "http://[64:ff9b::a9fe:a9fe]".to_owned(),
        "http://[2002:a9fe:a9fe::]".to_owned(),
        "http://[fd00:ec2::254]".to_owned(),
        "http://[fd20:ce::254]".to_owned(),
        "http://[fe80::1]".to_owned(),
        "http://metadata.google.internal".to_owned(),
        "http://METADATA.google.internal.".to_owned(),
        "http://metadata".to_owned(),
        "http://rebind.example".to_owned(),
        "http://mapped.example".to_owned(),
        "http://six.example".to_owned(),
        "http://inside.example".to_owned(),
        "http://10.0.0.1".to_owned(),
        "https://192.168.0.1".to_owned(),
        "http://[::1]".to_owned(),
        format!("http://127.0.0.2:{port}"),
        format!("http://127.0.0.2.:{port}"),
        format!("http://[::ffff:127.0.0.2]:{port}"),
        format!("http://[::ffff:7f00:2]:{port}"),
        format!("http://loop.example:{port}"),
        format!("http://0.0.0.0:{}", everywhere.port()),
        format!("http://[::]:{}", everywhere.port()),
    ];
    // What is no host's is not even loaded; what may be, by its name, is judged by the addresses that it has.
    let (never, urls): (Vec<_>, Vec<_>) =
        urls.into_iter().partition(|url| url.parse::<OriginPattern>().unwrap().closed().is_some());
    let host = host(&urls, names).await;
    assert_eq!((never.len(), urls.len()), (13, 12));
    for url in &never {
        let terms = Terms {
            values: HandlerValues::default(),
            quota: Quota { deadline: Duration::from_secs(60), memory: 64 << 20 },
            grants: Grants::all(),
        };
        let refused = Manifest::parse(&manifest(std::slice::from_ref(url)), "scripted", &terms).unwrap_err();
        assert!(refused.to_string().contains("which no handler may reach"), "{url}: {refused}");
    }
    for url in &urls {
        let answer = host.script(json!([get(format!("{url}/computeMetadata/v1/"))])).await;
        assert!(retried(&answer).contains("private network"), "{url}: {answer:?}");
        let refusals = refusals(&answer);
        assert_eq!(refusals.len(), 1, "{url}: {refusals:?}");
        assert!(refusals[0].1.contains("which no handler may reach") || refusals[0].1.contains("--allow-private"));
    }
    assert_eq!((forbidden.connections(), everywhere.connections()), (0, 0));
    assert_well(&host, "all of them").await;
}

/// A name in an address's clothes, to some resolvers: no manifest lists one, and no request names one.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_forms_that_only_some_understand() {
    let forms = ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xa9.254.0251.254", "169.254.43518", "127.1"];
    let listed = ["http://api.example".to_owned()];
    let host = host(&listed, Names::new(&[])).await;
    for form in forms {
        host.install(
            &format!("lists-{}", form.replace('.', "-")),
            &manifest(&[format!("http://{form}")]),
            &wasm(SCRIPTED),
        );
    }
    for form in forms {
        let answer = host.script(json!([get(format!("http://{form}/"))])).await;
        assert!(retried(&answer).contains("HttpRequestUriInvalid"), "{form}: {answer:?}");
        assert!(refusals(&answer)[0].1.contains("ends in a number"), "{form}");
        let name = format!("lists-{}", form.replace('.', "-"));
        let refused = || log::lines(|line| line["handler"] == name && line["severity"] == "ERROR");
        host.until(&format!("{name} is refused"), |_| !refused().is_empty()).await;
        assert!(refused()[0]["message"].as_str().unwrap().contains("ends in a number"), "{:?}", refused());
        assert!(host.live(&name).is_none());
    }
    // A zone would choose the interface; a user before the host would hide it.
    for url in ["http://169.254.169.254@api.example/", "http://user:secret@api.example/"] {
        let answer = host.script(json!([get(url)])).await;
        assert!(!retried(&answer).contains("secret"), "{answer:?}");
    }
}

/// A name is looked up once for a connection, and what was judged is what is connected to; the next one is judged anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_address() {
    let server = Server::start(|_| Reply::Status(200, "connection: close\r\n".into(), "mine".into())).await;
    let forbidden = Server::start_at(&format!("127.0.0.2:{}", server.port()), None, |_| Reply::ok("reached")).await;
    let names = Names::new(&[
        ("opened.example", &[&["127.0.0.1"], &["169.254.169.254"]]),
        ("public.example", &[&["127.0.0.2"]]),
    ]);
    let opened = format!("http://opened.example:{}", server.port());
    let public = format!("http://public.example:{}", server.port());
    let open = |config: &mut Config| {
        config.outgoing.allow_private = vec!["opened.example".parse().unwrap()];
    };
    let resolver = Arc::clone(&names);
    let handlers = [("scripted", &*manifest(&[opened.clone(), public.clone()]), &*wasm(SCRIPTED))];
    let host = TestHost::start_resolving(&handlers, open, resolver).await;
    let first = host.script(json!([get(&opened)])).await;
    assert_eq!((printed(&first), names.asked("opened.example")), (vec!["200 mine".to_owned()], 1));
    assert!(server.heads()[0].to_ascii_lowercase().contains(&format!("host: opened.example:{}", server.port())));
    let second = host.script(json!([get(&opened)])).await;
    assert!(refusals(&second)[0].1.contains("169.254.169.254"), "{second:?}");
    assert_eq!((server.connections(), names.asked("opened.example")), (1, 2));
    let other = host.script(json!([get(&public)])).await;
    assert!(refusals(&other)[0].1.contains("127.0.0.2"), "{other:?}");
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_what_follows_it_is_judged() {
    let forbidden = forbidden().await;
    let elsewhere = forbidden.url();
    let location = format!("location: {elsewhere}/computeMetadata/v1/\r\n");
    let server = Server::start(move |_| Reply::Status(302, location.clone(), String::new())).await;
    let host = host(&[server.url()], Names::new(&[])).await;
    let answer = host.script(json!([get(server.url()), get(&elsewhere)])).await;
    assert_eq!(printed(&answer), ["302 "]);
    assert_eq!(refusals(&answer)[0].0, elsewhere);
    assert_eq!((server.heads().len(), forbidden.connections()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_is_obeyed_and_violated() {
    let server = Server::start(|_| Reply::ok("hello")).await;
    let port = server.port();
    let names = Names::new(&[("a.example.test", &[&["127.0.0.1"]]), ("b.a.example.test", &[&["127.0.0.1"]])]);
    let open = |config: &mut Config| {
        config.outgoing.allow_private = ["a.example.test", "b.a.example.test", "example.test", "127.0.0.1"]
            .map(|host| host.parse().unwrap())
            .into();
    };
    let manifest = manifest(&[format!("http://*.example.test:{port}")]);
    let host = TestHost::start_resolving(&[("scripted", &manifest, &wasm(SCRIPTED))], open, names).await;
    let answer = host.script(json!([get(format!("http://A.Example.Test.:{port}/"))])).await;
    assert_eq!(printed(&answer), ["200 hello"]);
    for origin in [
        format!("http://example.test:{port}"),
        format!("http://b.a.example.test:{port}"),
        format!("https://a.example.test:{port}"),
        "http://a.example.test:80".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ] {
        let answer = host.script(json!([get(&origin)])).await;
        assert_eq!(refusals(&answer)[0].0, origin, "{answer:?}");
        assert!(refusals(&answer)[0].1.contains("[permissions] http"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_for_metadata_servers_never_leaves() {
    let server = Server::start(|_| Reply::ok("hello")).await;
    let host = host(&[server.url()], Names::new(&[])).await;
    for name in ["Metadata-Flavor", "X-Google-Metadata-Request", "X-aws-ec2-metadata-token"] {
        let answer = host.script(json!([{ "get": { "url": server.url(), "headers": { name: "Google" } } }])).await;
        assert!(retried(&answer).contains("the host refused it"), "{answer:?}");
        assert!(refusals(&answer)[0].1.contains("metadata server"), "{name}");
    }
    // What is the host's own to say can't be said by the guest.
    for name in ["Host", "Connection", "Transfer-Encoding"] {
        let answer = host.script(json!([{ "get": { "url": server.url(), "headers": { name: "x" } } }])).await;
        assert!(retried(&answer).contains("header"), "{name}: {answer:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sends_so_many_requests_and_no_more() {
    let server = Server::start(|_| Reply::ok("")).await;
    let host = host(&[server.url()], Names::new(&[])).await;
    let answer = host.script(json!(vec![get(server.url()); 101])).await;
    assert!(refusals(&answer)[0].1.contains("may send 100 requests"), "{answer:?}");
    assert_eq!(server.heads().len(), 100);
    assert_eq!(host.script(json!([get(server.url())])).await.status.as_u16(), 204, "the next event has its own");
}

/// The host keeps it for each request that a guest makes, sent or not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_too_long_is_no_request() {
    let server = Server::start(|_| Reply::ok("reached")).await;
    let host = host(&[server.url()], Names::new(&[])).await;
    let long = "x".repeat(20 << 10);
    for (step, words) in [
        (get(format!("{}/{long}", server.url())), "its path"),
        (get(format!("http://{}test", "x.".repeat(300))), "its host"),
        (
            json!({ "get": { "url": server.url(), "headers": { "a": long, "b": long } } }),
            "size of fields exceeds limit",
        ),
    ] {
        let answer = host.script(json!([step])).await;
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert!(server.heads().is_empty());
    let step = get(format!("{}/{}", server.url(), "x".repeat(8 << 10)));
    assert_eq!(printed(&host.script(json!([step])).await), ["200 reached"]);
}

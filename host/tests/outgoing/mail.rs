//! The handler that sends the welcome mail, over HTTPS to a provider that fails in every way before it takes the mail.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tidemill_host::config::Config;
use tidemill_test_artifacts::EMAIL_ON_REGISTER;

use crate::authority::Authority;
use crate::common::{TestHost, wasm};
use crate::support::{Names, Reply, Server, retried};

const ADA: &str = r#"{"id":"1","email":"ada@example.com","name":"Ada"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_over_https_may_fail_before_it_takes_the_mail() {
    let authority = Authority::new();
    let failures = [
        Reply::Stall(""),
        Reply::Reset,
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
        Reply::Status(500, String::new(), "oops".into()),
        Reply::Status(503, "retry-after: 7\r\n".into(), String::new()),
    ];
    let left = Mutex::new(VecDeque::from(failures.clone()));
    let provider = Server::start_tls(authority.server("mail.test"), move |_| {
        left.lock().unwrap().pop_front().unwrap_or_else(|| Reply::ok("{}"))
    })
    .await;
    let manifest = format!(
        "events = [\"user.registered\"]\n[permissions]\nhttp = [\"config:mail-url\"]\n\
         [config]\nmail-url = \"https://mail.test:{}/emails\"\nmail-key = \"t0psecret\"\nfrom = \"welcome@example.com\"\n",
        provider.port()
    );
    let change = |config: &mut Config| {
        config.outgoing.allow_private = vec!["mail.test".parse().unwrap()];
        config.outgoing.roots = vec![authority.root()];
        config.outgoing.timeout = Duration::from_secs(1);
    };
    let names = Names::new(&[("mail.test", &[&["127.0.0.1"]])]);
    let handlers = [("email-on-register", &*manifest, &*wasm(EMAIL_ON_REGISTER))];
    let host = TestHost::start_resolving(&handlers, change, names).await;
    for failure in &failures {
        let answer = host.deliver("user.registered", ADA).await;
        let reason = retried(&answer);
        assert!(reason.contains("https://mail.test"), "{failure:?}: {reason}");
        assert!(!reason.contains("t0psecret"), "{reason}");
    }
    assert_eq!(host.deliver("user.registered", ADA).await.status.as_u16(), 204);
    let heads = provider.heads();
    assert_eq!(heads.len(), failures.len() + 1);
    assert!(heads.iter().all(|head| head.starts_with("POST /emails HTTP/1.1") && head.contains("Bearer t0psecret")));
}

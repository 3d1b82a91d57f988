//! A registry as a store.

use std::time::Duration;

use tidemill_host::store::{Look, Store, StoreError};

use crate::contract::{artifact, keeps_where_each_makes, release};
use crate::oci::{Registry, USER};

/// Writers wait as long as a write may be on its way. On one machine that is a few milliseconds; where it takes longer all
/// the same, a writer gives up and begins again.
const LANDS: Duration = Duration::from_millis(400);

fn store(registry: &Registry, variables: &[(&str, &str)]) -> Store {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = format!("oci://{}/some/store", registry.host());
    Store::open(&url.parse().unwrap(), &variables).unwrap().landing_within(LANDS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_keeps_the_contract() {
    let Some(registry) = Registry::start() else { return };
    keeps_where_each_makes(1, &store(&registry, &[])).await;
}

#[tokio::test]
async fn a_component_in_a_registry_has_the_form_that_others_pull() {
    let Some(registry) = Registry::start() else { return };
    let one = artifact("a");
    store(&registry, &[]).put_artifact(&one).await.unwrap();
    let tag = format!("artifacts_{}_handler.wasm", one.digest().hex());
    assert_eq!(registry.pull("some/store", &tag).await, one.wasm);
}

/// One that ended while it held the lock, and never lets go.
#[tokio::test]
async fn a_writer_that_has_ended_keeps_the_others_for_a_while() {
    let Some(registry) = Registry::start() else { return };
    let store = store(&registry, &[]);
    store.make_live(None, release("ada", &artifact("a"))).await.unwrap();
    let Look::Live(seen) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    let (its, ours) = (store.clone(), seen.clone());
    let ended = tokio::spawn(async move { its.make_live(Some(&ours), release("eve", &artifact("e"))).await });
    // Its token is there when this is over, and nothing else of it.
    tokio::time::sleep(LANDS / 2).await;
    ended.abort();
    assert!(ended.await.unwrap_err().is_cancelled());
    let made = store.make_live(Some(&seen), release("bob", &artifact("b"))).await.unwrap();
    assert_eq!(store.release(made.number).await.unwrap().by, "bob");
}

#[tokio::test]
async fn who_may_not_is_told_so_without_the_password() {
    let Some(registry) = Registry::with_password() else { return };
    let good = [("WKG_OCI_USERNAME", USER[0]), ("WKG_OCI_PASSWORD", USER[1])];
    store(&registry, &good).make_live(None, release("ada", &artifact("a"))).await.unwrap();
    let wrong = [("WKG_OCI_USERNAME", "testuser"), ("WKG_OCI_PASSWORD", "hunter2")];
    for variables in [&wrong[..], &[]] {
        let store = store(&registry, variables);
        for error in [
            store.look(None).await.unwrap_err(),
            store.put_artifact(&artifact("a")).await.unwrap_err(),
            store.releases(10).await.unwrap_err(),
        ] {
            let said = error.to_string();
            assert!(said.starts_with(&format!("the store oci://{}/some/store: ", registry.host())), "{said}");
            assert!(said.contains("credentials") && !format!("{said}{error:?}{store:?}").contains("hunter2"), "{said}");
        }
    }
    let Look::Live(_) = store(&registry, &good).look(None).await.unwrap() else { panic!("nothing is live") };
}

#[tokio::test]
async fn what_is_something_else_is_never_taken() {
    let Some(registry) = Registry::start() else { return };
    registry.push("some/store", "live.json", b"{}", &[]).await;
    let error = store(&registry, &[]).look(None).await.unwrap_err();
    assert!(matches!(error, StoreError::Spoilt { .. }), "{error}");
}

//! What every store keeps. Each function is a test of each store.

use std::sync::Arc;

use tidemill_host::key_value::{DiskStore, ENTRY_COST, KeyValue, KeyValueError, MemoryStore, PAGE, RedisStore};

use super::common::redis::Redis;
use super::{PLENTY, key, space, text, value};

/// A store in which each handler may keep so many bytes.
type Open<'a> = &'a dyn Fn(u64) -> Arc<dyn KeyValue>;

macro_rules! contract {
    ($($test:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&|quota| Arc::new(MemoryStore::new(quota))).await;
            })*
        }
        mod disk {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&|quota| Arc::new(DiskStore::open(&folder.path().join("new/kv.redb"), quota).unwrap())).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let Some(server) = Redis::start().await else { return };
                super::$test(&|quota| Arc::new(RedisStore::new(&server.url(), quota).unwrap())).await;
            })*
        }
    };
}

contract! {
    what_is_set_is_there_until_it_is_deleted
    any_bytes_are_a_value_and_any_text_is_a_key
    of_two_handlers_and_two_stores_none_sees_the_others
    a_list_comes_in_pages_in_the_order_of_bytes
    a_hundred_increments_at_once_are_a_hundred
    a_number_has_64_bits_and_one_form
    of_many_who_swap_at_once_one_succeeds
    a_swap_expects_no_key_or_this_value
    a_quota_is_obeyed_to_the_byte
    a_quota_is_each_handlers_and_over_all_its_stores
    what_is_refused_changes_nothing
}

async fn what_is_set_is_there_until_it_is_deleted(open: Open<'_>) {
    let (store, at, a) = (open(PLENTY), space("h", "default"), key("a"));
    assert_eq!(text(&*store, &at, "a").await, None);
    assert!(!store.exists(&at, &a).await.unwrap());
    store.set(&at, &a, value("one")).await.unwrap();
    store.set(&at, &a, value("two")).await.unwrap();
    assert_eq!(text(&*store, &at, "a").await.as_deref(), Some("two"));
    assert!(store.exists(&at, &a).await.unwrap());
    store.delete(&at, &a).await.unwrap();
    store.delete(&at, &a).await.unwrap();
    assert_eq!(text(&*store, &at, "a").await, None);
    assert_eq!(store.keys(&at, None).await.unwrap().keys, Vec::<String>::new());
}

async fn any_bytes_are_a_value_and_any_text_is_a_key(open: Open<'_>) {
    let (store, at) = (open(PLENTY), space("h", "default"));
    let bytes: Vec<u8> = (0..=255).collect();
    for name in ["\0", "a\0b", "ä", "{h}:values:default", " ", &"k".repeat(256)] {
        store.set(&at, &key(name), value(&bytes)).await.unwrap();
        assert_eq!(store.get(&at, &key(name)).await.unwrap(), Some(bytes.clone()), "{name:?}");
    }
    store.set(&at, &key("empty"), value("")).await.unwrap();
    assert_eq!(text(&*store, &at, "empty").await.as_deref(), Some(""));
    let largest = vec![7; 1 << 20];
    store.set(&at, &key("largest"), value(&largest)).await.unwrap();
    assert_eq!(store.get(&at, &key("largest")).await.unwrap(), Some(largest));
}

async fn of_two_handlers_and_two_stores_none_sees_the_others(open: Open<'_>) {
    let store = open(PLENTY);
    // Names that run into each other where nothing keeps them apart.
    let spaces = [("a", "b"), ("a", "bc"), ("ab", "c"), ("ab", "b"), ("abc", "b")].map(|(h, s)| space(h, s));
    for (number, at) in spaces.iter().enumerate() {
        store.set(at, &key("k"), value(number.to_string())).await.unwrap();
        store.set(at, &key(&format!("only-{number}")), value("")).await.unwrap();
    }
    for (number, at) in spaces.iter().enumerate() {
        assert_eq!(text(&*store, at, "k").await, Some(number.to_string()));
        let page = store.keys(at, None).await.unwrap();
        assert_eq!((page.keys, page.next), (vec!["k".to_owned(), format!("only-{number}")], None));
    }
    store.delete(&spaces[0], &key("k")).await.unwrap();
    assert_eq!(text(&*store, &spaces[1], "k").await.as_deref(), Some("1"));
}

async fn a_list_comes_in_pages_in_the_order_of_bytes(open: Open<'_>) {
    let (store, at) = (open(PLENTY), space("h", "default"));
    let names: Vec<_> = (0..=PAGE).map(|number| format!("k{number:05}")).collect();
    for name in names.iter().rev() {
        store.set(&at, &key(name), value("")).await.unwrap();
    }
    store.set(&space("h", "other"), &key("k"), value("")).await.unwrap();
    let first = store.keys(&at, None).await.unwrap();
    assert_eq!((first.keys.as_slice(), first.next.as_ref()), (&names[..PAGE], Some(&names[PAGE - 1])));
    let second = store.keys(&at, first.next.as_deref()).await.unwrap();
    assert_eq!((second.keys.as_slice(), second.next), (&names[PAGE..], None));
    // Whatever else a guest makes of a cursor is a place in the order as well.
    for (cursor, rest) in [("", 0), ("k", 0), ("k00010", 11), ("k000105", 11), ("z", PAGE + 1), ("\0", 0)] {
        let page = store.keys(&at, Some(cursor)).await.unwrap();
        assert_eq!(page.keys.first(), names.get(rest), "{cursor:?}");
    }
}

async fn a_hundred_increments_at_once_are_a_hundred(open: Open<'_>) {
    let store = open(PLENTY);
    let adding: Vec<_> = (0..100)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.increment(&space("h", "default"), &key("n"), 1).await.unwrap() })
        })
        .collect();
    let mut sums = Vec::new();
    for sum in adding {
        sums.push(sum.await.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=100).collect::<Vec<_>>());
    assert_eq!(text(&*store, &space("h", "default"), "n").await.as_deref(), Some("100"));
}

async fn a_number_has_64_bits_and_one_form(open: Open<'_>) {
    let (store, at, n) = (open(PLENTY), space("h", "default"), key("n"));
    assert_eq!(store.increment(&at, &n, i64::MAX).await.unwrap(), i64::MAX);
    assert_eq!(store.increment(&at, &n, 1).await, Err(KeyValueError::Overflow));
    // More than a double can tell apart.
    assert_eq!(store.increment(&at, &n, -2).await.unwrap(), i64::MAX - 2);
    assert_eq!(store.increment(&at, &n, -i64::MAX).await.unwrap(), -2);
    assert_eq!(store.increment(&at, &key("m"), i64::MIN).await.unwrap(), i64::MIN);
    assert_eq!(store.increment(&at, &key("m"), -1).await, Err(KeyValueError::Overflow));
    for other in ["", "x", "1.5", "+1", "01", " 1", "9223372036854775808"] {
        store.set(&at, &n, value(other)).await.unwrap();
        assert_eq!(store.increment(&at, &n, 1).await, Err(KeyValueError::NoNumber), "{other:?}");
        assert_eq!(text(&*store, &at, "n").await.as_deref(), Some(other));
    }
}

async fn of_many_who_swap_at_once_one_succeeds(open: Open<'_>) {
    let store = open(PLENTY);
    for round in 0..5 {
        let seen = store.get(&space("h", "default"), &key("k")).await.unwrap();
        let swapping: Vec<_> = (0..32)
            .map(|number| {
                let (store, seen) = (Arc::clone(&store), seen.clone());
                let new = value(format!("{round}-{number}"));
                tokio::spawn(async move { store.swap(&space("h", "default"), &key("k"), seen, new).await.unwrap() })
            })
            .collect();
        let mut done = 0;
        for swapped in swapping {
            done += usize::from(swapped.await.unwrap());
        }
        assert_eq!(done, 1);
    }
}

async fn a_swap_expects_no_key_or_this_value(open: Open<'_>) {
    let (store, at, k) = (open(PLENTY), space("h", "default"), key("k"));
    assert!(!store.swap(&at, &k, Some(Vec::new()), value("a")).await.unwrap(), "no key is not an empty value");
    assert!(store.swap(&at, &k, None, value("")).await.unwrap());
    assert!(!store.swap(&at, &k, None, value("a")).await.unwrap(), "an empty value is a value");
    assert!(store.swap(&at, &k, Some(Vec::new()), value("b")).await.unwrap());
    assert!(!store.swap(&at, &k, Some(b"a".to_vec()), value("c")).await.unwrap());
    assert_eq!(text(&*store, &at, "k").await.as_deref(), Some("b"));
    assert_eq!(store.keys(&at, None).await.unwrap().keys, ["k"]);
}

async fn a_quota_is_obeyed_to_the_byte(open: Open<'_>) {
    let quota = 2 * (ENTRY_COST + 1 + 10);
    let (store, at) = (open(quota), space("h", "default"));
    store.set(&at, &key("a"), value([0; 10])).await.unwrap();
    store.set(&at, &key("b"), value([0; 10])).await.unwrap();
    let full = |would| Err(KeyValueError::Full { quota, would });
    assert_eq!(store.set(&at, &key("b"), value([0; 11])).await, full(quota + 1));
    assert_eq!(store.set(&at, &key("c"), value([])).await, full(quota + ENTRY_COST + 1));
    assert_eq!(store.increment(&at, &key("n"), 7).await.unwrap_err(), full(quota + ENTRY_COST + 2).unwrap_err());
    assert_eq!(
        store.swap(&at, &key("a"), Some(vec![0; 10]), value([0; 12])).await.unwrap_err(),
        full(quota + 2).unwrap_err()
    );
    store.set(&at, &key("b"), value([0; 9])).await.unwrap();
    store.set(&at, &key("a"), value([0; 11])).await.unwrap();
    store.delete(&at, &key("b")).await.unwrap();
    // What a number takes is counted as well, in its digits.
    store.set(&at, &key("a"), value([0; 19])).await.unwrap();
    assert_eq!(store.increment(&at, &key("n"), 9).await.unwrap(), 9);
    assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap_err(), full(quota + 1).unwrap_err());
    assert_eq!(text(&*store, &at, "n").await.as_deref(), Some("9"));
}

async fn a_quota_is_each_handlers_and_over_all_its_stores(open: Open<'_>) {
    let quota = ENTRY_COST + 1 + 10;
    let store = open(quota);
    store.set(&space("h", "one"), &key("a"), value([0; 10])).await.unwrap();
    assert!(store.set(&space("h", "two"), &key("a"), value([])).await.is_err());
    store.set(&space("other", "one"), &key("a"), value([0; 10])).await.unwrap();
    store.delete(&space("h", "one"), &key("a")).await.unwrap();
    store.set(&space("h", "two"), &key("a"), value([0; 10])).await.unwrap();
}

async fn what_is_refused_changes_nothing(open: Open<'_>) {
    let quota = ENTRY_COST + 10;
    let (store, at) = (open(quota), space("h", "default"));
    assert!(store.set(&at, &key("long"), value([0; 20])).await.is_err());
    assert!(store.increment(&at, &key("nnnnnnnnnn"), 1).await.is_err());
    assert!(store.swap(&at, &key("long"), None, value([0; 20])).await.is_err());
    assert_eq!(store.keys(&at, None).await.unwrap().keys, Vec::<String>::new());
    // As much as ever is free.
    store.set(&at, &key("a"), value([0; 9])).await.unwrap();
}

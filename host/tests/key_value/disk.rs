//! A file that outlives its process.

use std::path::Path;

use tidemill_host::key_value::{DiskStore, ENTRY_COST, KeyValue};

use super::{PLENTY, key, space, text, value};

fn open(file: &Path, quota: u64) -> DiskStore {
    DiskStore::open(file, quota).unwrap()
}

#[tokio::test]
async fn what_was_kept_is_there_when_it_is_opened_again_and_its_bytes_count() {
    let folder = tempfile::tempdir().unwrap();
    let (file, at, quota) = (folder.path().join("kv.redb"), space("h", "default"), ENTRY_COST + 11);
    let store = open(&file, quota);
    store.set(&at, &key("k"), value([b'x'; 10])).await.unwrap();
    drop(store);
    let store = open(&file, quota);
    assert_eq!(text(&store, &at, "k").await.as_deref(), Some("xxxxxxxxxx"));
    assert!(store.set(&at, &key("l"), value("")).await.is_err(), "what was kept before still counts");
    store.delete(&at, &key("k")).await.unwrap();
    store.set(&at, &key("l"), value([0; 10])).await.unwrap();
}

/// What is in the file at the moment of an answer is all that a process which is killed then leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_keeps_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (file, at) = (folder.path().join("kv.redb"), space("h", "default"));
    let store = open(&file, PLENTY);
    for round in 1..=5 {
        assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap(), round);
        store.set(&at, &key(&format!("k{round}")), value("kept")).await.unwrap();
        let left = folder.path().join(format!("left-{round}.redb"));
        std::fs::copy(&file, &left).unwrap();
        let left = open(&left, PLENTY);
        assert_eq!(text(&left, &at, "n").await, Some(round.to_string()));
        assert_eq!(text(&left, &at, &format!("k{round}")).await.as_deref(), Some("kept"));
        assert_eq!(left.increment(&at, &key("n"), 1).await.unwrap(), round + 1);
    }
}

#[tokio::test]
async fn a_file_is_one_process_s_and_no_other_kind_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kv.redb");
    let _store = open(&file, PLENTY);
    let taken = DiskStore::open(&file, PLENTY).err().unwrap().to_string();
    assert!(taken.contains("kv.redb") && taken.contains("another process"), "{taken}");
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not what it takes it for").unwrap();
    let refused = DiskStore::open(&other, PLENTY).err().unwrap().to_string();
    assert!(refused.contains("notes.txt"), "{refused}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "not what it takes it for");
}

use std::fs;
use std::path::PathBuf;

use super::*;

fn keys(file: PathBuf) -> Arc<Keys> {
    let fixed: Vec<Key> = vec!["k0=fixed".parse().unwrap()];
    let read = KeyRing::parse_lines(&fs::read_to_string(&file).unwrap()).unwrap();
    let ring = KeyRing::new(fixed.iter().cloned().chain(read).collect()).unwrap();
    Arc::new(Keys::new(KeysConfig { ring, fixed, file: Some(file), reload: Duration::from_millis(10) }))
}

/// New key first beside the old, then alone: at each step what is signed with a key that is there verifies.
#[tokio::test]
async fn a_changed_file_changes_the_ring_and_a_broken_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, "k1=old\n").unwrap();
    let keys = keys(file.clone());
    for (text, now) in [
        ("k1=old\nk2=new\n", "k0, k1, k2"),
        ("k2=new\n", "k0, k2"),
        ("no key\n", "k0, k2"),
        ("k0=twice\n", "k0, k2"),
        // The last one of the file can be taken back while there is another.
        ("", "k0"),
        ("k3=newest\n", "k0, k3"),
    ] {
        fs::write(&file, text).unwrap();
        keys.reload().await;
        assert_eq!(ids(&keys.ring()), now, "after {text:?}");
    }
    fs::remove_file(&file).unwrap();
    keys.reload().await;
    assert_eq!(ids(&keys.ring()), "k0, k3");
}

#[tokio::test]
async fn who_asks_for_a_newer_ring_gets_it_and_does_not_read_the_file_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, "k1=old\n").unwrap();
    let keys = keys(file.clone());
    let before = keys.ring();
    fs::write(&file, "k1=old\nk2=new\n").unwrap();
    let newer = keys.newer_than(&before).await.unwrap();
    assert_eq!(ids(&newer), "k0, k1, k2");
    // Within the pause nobody reads, and who has the newest ring gets none.
    assert!(!keys.may_ask());
    assert!(keys.newer_than(&newer).await.is_none());
    assert!(keys.newer_than(&before).await.is_some());
}

#[tokio::test]
async fn the_file_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, "k1=old\n").unwrap();
    let keys = keys(file.clone());
    let following = tokio::spawn(Arc::clone(&keys).follow());
    fs::write(&file, "k2=new\n").unwrap();
    for _ in 0..3000 {
        if ids(&keys.ring()) == "k0, k2" {
            following.abort();
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not seen within 30 s");
}

/// The last key must not go with a file that was emptied by mistake.
#[tokio::test]
async fn the_last_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, "").unwrap();
    let ring = KeyRing::parse_lines("k1=one").unwrap();
    let config = KeysConfig {
        ring: KeyRing::new(ring).unwrap(),
        fixed: vec![],
        file: Some(file),
        reload: Duration::from_secs(3600),
    };
    let keys = Keys::new(config);
    keys.reload().await;
    assert_eq!(ids(&keys.ring()), "k1");
}

/// A pipe that nobody writes to: opening it blocks, as a mount that has gone silent does.
#[tokio::test]
async fn a_file_that_is_never_read_to_its_end_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("keys");
    fs::write(&pipe, "k1=old\n").unwrap();
    let keys = keys(pipe.clone());
    let before = keys.ring();
    fs::remove_file(&pipe).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for _ in 0..2 {
        assert!(keys.newer_than(&before).await.is_none());
    }
    // So that the runtime of this test can end: the reading ends with the first writer.
    fs::OpenOptions::new().write(true).open(&pipe).unwrap();
}

//! Hosts that are killed in the middle of a release, and whose downloads are cut: the old release or the new one, whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemill_host::artifact::{Artifact, Digest};
use tidemill_test_artifacts::EMPTY;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::wasm;
use crate::process::Process;
use crate::servers::Bucket;
use crate::stand::{Stand, numbered, served_by};

/// How often a host is killed, each time somewhat later after a release became live.
const KILLS: usize = 8;

fn pair(number: usize) -> [Artifact; 2] {
    let empty = wasm(EMPTY);
    ["one", "two"].map(|event| numbered(&format!("events = [\"{event}\"]\n"), &empty, number))
}

async fn deploy(stand: &Stand, number: usize) {
    let [one, two] = pair(number);
    stand.deploy(&[("one", &one), ("two", &two)]).await;
}

/// Which version of both the host serves: `None` where it serves neither.
async fn version(host: &Process) -> Option<usize> {
    let [one, two] = [host.deliver("one").await, host.deliver("two").await];
    if !one.status.is_success() {
        assert!(!two.status.is_success(), "half of a release: {two:?}");
        return None;
    }
    let of = |digest: Digest, at: usize| (0..=KILLS).find(|number| pair(*number)[at].digest() == digest);
    let (one, two) = (of(served_by(&one), 0), of(served_by(&two), 1));
    assert_eq!(one, two, "half of one release and half of another");
    one
}

/// What it has kept for a start without its store is whole, whenever it was killed while it kept it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_while_it_switches_starts_with_the_old_release_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let [store, empty] = ["store", "empty"].map(|name| folder.path().join(name));
    for folder in [&store, &empty] {
        std::fs::create_dir(folder).unwrap();
    }
    let (kept, code) = (folder.path().join("kept"), folder.path().join("code"));
    let flags = ["--store-cache", kept.to_str().unwrap(), "--code-cache", code.to_str().unwrap()];
    let stand = Stand::at(store.to_str().unwrap(), vec![]);
    deploy(&stand, 0).await;
    let mut seen = Vec::new();
    for number in 1..=KILLS {
        let mut host = Process::start(&store, &flags);
        host.ready().await;
        deploy(&stand, number).await;
        // From before it has seen the release to after it has kept it.
        tokio::time::sleep(Duration::from_millis(20 * number as u64)).await;
        host.kill();
        // Of another store, which has nothing to say, it serves what it has kept.
        let mut alone = Process::start(&empty, &flags);
        alone.ready().await;
        let version = version(&alone).await;
        assert!(version == Some(number - 1) || version == Some(number), "{version:?} after {number}");
        seen.push(version.unwrap());
        alone.kill();
    }
    // With its store it serves what is live.
    let mut host = Process::start(&store, &flags);
    host.ready().await;
    assert_eq!(version(&host).await, Some(KILLS), "{seen:?}");
}

/// Hands connections on to a server, and cuts each answer short while that is asked for.
async fn cutting(to: SocketAddr, cut: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let cut = Arc::clone(&cut);
            tokio::spawn(async move {
                let far = TcpStream::connect(to).await.unwrap();
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                let up = tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
                let (mut buffer, mut handed) = (vec![0; 4096], 0);
                while let Ok(count @ 1..) = far_in.read(&mut buffer).await {
                    handed += count;
                    // More than a release has, and less than a component even when it is asked for again from there.
                    if cut.load(Ordering::Relaxed) && handed > 4 << 10 {
                        break;
                    }
                    if near_out.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                up.abort();
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_leaves_the_old_release_until_it_is_not() {
    let Some(bucket) = Bucket::s3().await else { return };
    let cut = Arc::new(AtomicBool::new(false));
    let mut through = bucket.variables();
    let (_, endpoint) = through.iter_mut().find(|(name, _)| name == "AWS_ENDPOINT").unwrap();
    let server = endpoint.trim_start_matches("http://").parse().unwrap();
    *endpoint = format!("http://{}", cutting(server, Arc::clone(&cut)).await);
    let (stand, behind) = (Stand::at("s3://bucket", bucket.variables()), Stand::at("s3://bucket", through));
    let first = stand.deploy(&[("one", &pair(0)[0])]).await;
    let host = behind.host().await;
    stand.until_served(1, first).await;
    cut.store(true, Ordering::Relaxed);
    let [one, two] = pair(1);
    let second = stand.deploy(&[("one", &one), ("two", &two)]).await;
    let cut_off = |problem: &Option<String>| problem.as_ref().is_some_and(|it| it.contains("reading artifacts/"));
    stand.until("it is cut", |reports| reports.iter().any(|report| cut_off(&report.problem))).await;
    assert_eq!(served_by(&host.deliver("one", "{}").await), pair(0)[0].digest());
    assert_eq!(host.deliver("two", "{}").await.code(), "unknown-event-type");
    cut.store(false, Ordering::Relaxed);
    stand.until_served(1, second).await;
    assert_eq!(served_by(&host.deliver("two", "{}").await), two.digest());
}

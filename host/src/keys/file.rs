use std::path::PathBuf;
use std::time::Duration;

use tidemill_events::{Key, KeyRing};
use zeroize::Zeroizing;

/// How long a file's content has to stay the same to count: a secret cut short is a secret that fits nothing.
const SETTLING: Duration = Duration::from_millis(50);

/// Reads the keys of a file that nobody is writing to.
pub(super) async fn read_settled(path: PathBuf) -> Result<Vec<Key>, String> {
    let first = read(path.clone()).await?;
    tokio::time::sleep(SETTLING).await;
    let second = read(path).await?;
    if *first != *second {
        return Err("it was being written to".into());
    }
    KeyRing::parse_lines(&second).map_err(|error| error.to_string())
}

/// Off the serving threads: a mounted secret is read over a network.
async fn read(path: PathBuf) -> Result<Zeroizing<String>, String> {
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path).map(Zeroizing::new)).await;
    match read {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("it can't be read: {error}")),
        Err(error) => Err(format!("reading it broke off: {error}")),
    }
}

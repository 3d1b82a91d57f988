//! Handlers, as many as are wanted: the same work each, with a name, an event type and bytes of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tidemill_test_artifacts::{BENCH, BENCH_MANIFEST};

use crate::contender::Handlers;
use crate::event::EVENT_TYPE;

/// The event type of the handler of this number, counted from 0.
pub(crate) fn event_type(number: usize) -> String {
    if number == 0 { EVENT_TYPE.to_owned() } else { format!("{EVENT_TYPE}.{number}") }
}

/// Puts so many handlers into a folder.
///
/// # Errors
/// Where the folder can't be written.
pub(crate) fn in_folder(folder: &Path, count: usize) -> Result<Handlers> {
    let manifest = fs::read_to_string(BENCH_MANIFEST)?;
    let component = fs::read(BENCH)?;
    for number in 0..count {
        let folder = folder.join(format!("bench-{number}"));
        fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
        fs::write(folder.join("handler.wasm"), [&component[..], &unlike(number)].concat())?;
        fs::write(folder.join("handler.toml"), manifest.replace(EVENT_TYPE, &event_type(number)))?;
    }
    Ok(Handlers::Folder(folder.to_owned()))
}

/// Puts one handler into a folder, whose instances handle so many events each, one after the other.
///
/// # Errors
/// Where the folder can't be written.
pub(crate) fn reusing(folder: &Path, events: u32) -> Result<Handlers> {
    let handlers = in_folder(folder, 1)?;
    let manifest = format!("{}\n[instances]\nreuse = {events}\n", fs::read_to_string(BENCH_MANIFEST)?);
    fs::write(folder.join("bench-0").join("handler.toml"), manifest)?;
    Ok(handlers)
}

/// Makes a store in a folder, in which so many handlers are live, signed and compiled ahead of time. One that was made
/// there before is taken as it is.
///
/// # Errors
/// Where the folder can't be written, or one of the project's own commands fails.
pub(crate) fn in_store(folder: &Path, programs: &Path, count: usize) -> Result<Handlers> {
    let (sources, key, store) = (folder.join("handlers"), folder.join("key.pem"), folder.join("store"));
    let tidemill = || Command::new(programs.join("tidemill"));
    let kept = folder.join("key.pub");
    if let Ok(public) = fs::read_to_string(&kept) {
        return Ok(Handlers::Store(store, public));
    }
    in_folder(&sources, count)?;
    let made = output(tidemill().arg("keygen").args(["--output", "json", "--out"]).arg(&key))?;
    let made: serde_json::Value = serde_json::from_str(&made)?;
    let public = made
        .get("public_key")
        .and_then(serde_json::Value::as_str)
        .context("`tidemill keygen` printed no key")?
        .to_owned();
    output(
        tidemill().arg("deploy").arg(&sources).arg("--compile").arg("--sign-with").arg(&key).arg("--store").arg(&store),
    )?;
    fs::write(kept, &public)?;
    Ok(Handlers::Store(store, public))
}

/// A custom section, which means nothing, so that no two components have the same bytes.
fn unlike(number: usize) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let number = format!("{number:08}");
    let lengths = (NAME.len() as u8, (1 + NAME.len() + number.len()) as u8);
    [&[0, lengths.1, lengths.0], NAME, number.as_bytes()].concat()
}

fn output(command: &mut Command) -> Result<String> {
    let ended = command.output().with_context(|| format!("{command:?} can't be started"))?;
    if !ended.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

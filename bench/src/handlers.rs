//! Folders of handlers, as a host takes them: any number of the same, each with a name and an event type of its own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tidemill_test_artifacts::{BENCH, BENCH_MANIFEST};

use crate::event::EVENT_TYPE;

/// The event type of the handler of this number, counted from 0.
pub(crate) fn event_type(number: usize) -> String {
    if number == 0 { EVENT_TYPE.to_owned() } else { format!("{EVENT_TYPE}.{number}") }
}

/// Puts so many handlers into a folder.
///
/// # Errors
/// Where the folder can't be written.
pub(crate) fn write(folder: &Path, count: usize) -> Result<()> {
    let manifest = fs::read_to_string(BENCH_MANIFEST)?;
    for number in 0..count {
        let folder = folder.join(format!("bench-{number}"));
        fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
        fs::copy(BENCH, folder.join("handler.wasm"))?;
        fs::write(folder.join("handler.toml"), manifest.replace(EVENT_TYPE, &event_type(number)))?;
    }
    Ok(())
}

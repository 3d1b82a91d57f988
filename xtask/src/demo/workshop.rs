//! A copy of the handlers' sources, so that the demo can change one without touching the repository.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::tools::root;

/// The folders that handlers are built from, side by side, as their paths expect them.
const FOLDERS: [&str; 3] = ["guest-handlers", "sdk", "wit"];

/// The copy.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    /// Brings the copy in `folder` to the state of the repository.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let folder = folder.join("workshop");
        for name in FOLDERS {
            mirror(&root().join(name), &folder.join(name))?;
        }
        Ok(Self { folder })
    }

    /// The folder of the handlers' folders.
    pub(super) fn handlers(&self) -> PathBuf {
        self.folder.join("guest-handlers")
    }

    /// The handlers' folders.
    pub(super) fn projects(&self) -> Result<Vec<PathBuf>> {
        let entries = entries(&self.handlers())?;
        let paths = entries.iter().map(|name| self.handlers().join(name));
        Ok(paths.filter(|path| path.join("handler.toml").is_file()).collect())
    }

    /// Replaces the one place in a file where `before` stands.
    pub(super) fn edit(&self, file: &Path, before: &str, after: &str) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
        if text.matches(before).count() != 1 {
            bail!("{}: {before} was expected there once, for the demo to change it", file.display());
        }
        write(file, text.replace(before, after).as_bytes())
    }
}

/// Makes `to` a copy of `from`. What is the same already is not touched, so that cargo builds only what changed.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} can't be made", to.display()))?;
    let there = entries(from)?;
    for gone in entries(to)?.difference(&there) {
        let path = to.join(gone);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("{} can't be removed", path.display()))?;
    }
    for name in &there {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_dir() {
            mirror(&from, &to)?;
            continue;
        }
        let content = fs::read(&from).with_context(|| format!("{} can't be read", from.display()))?;
        if fs::read(&to).ok().as_ref() != Some(&content) {
            write(&to, &content)?;
        }
    }
    Ok(())
}

fn write(file: &Path, content: &[u8]) -> Result<()> {
    fs::write(file, content).with_context(|| format!("{} can't be written", file.display()))
}

/// The names in a folder, without that of build output.
fn entries(folder: &Path) -> Result<BTreeSet<OsString>> {
    let unreadable = || format!("{} can't be read", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<BTreeSet<_>, _>>();
    Ok(names.with_context(unreadable)?.into_iter().filter(|name| name != "target").collect())
}

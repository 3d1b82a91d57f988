use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A handler's folder: it holds `handler.toml` and the source in whatever language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Project {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The folder's name, which is the handler's too.
    pub(crate) name: String,
}

impl Project {
    /// The projects in `dir`, at least one: itself, or the folders right below it, in the order of their names.
    pub(crate) fn find(dir: &Path) -> anyhow::Result<Vec<Self>> {
        let projects = Self::list(dir)?;
        if projects.is_empty() {
            bail!("no handler in {}: a handler's folder holds a handler.toml beside its source", dir.display());
        }
        Ok(projects)
    }

    /// The same where there may be none.
    pub(crate) fn list(dir: &Path) -> anyhow::Result<Vec<Self>> {
        let dir = dir.canonicalize().with_context(|| format!("the folder {} can't be found", dir.display()))?;
        if let Some(project) = Self::at(&dir) {
            return Ok(vec![project]);
        }
        let mut projects = Vec::new();
        for entry in dir.read_dir().with_context(|| format!("{} is no folder", dir.display()))? {
            projects.extend(Self::at(&entry?.path()));
        }
        projects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(projects)
    }

    fn at(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.to_owned();
        folder.join("handler.toml").is_file().then(|| Self { folder: folder.to_owned(), name })
    }
}

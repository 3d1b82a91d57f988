use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use tidemill_host::registry::install;
use tidemill_host::runtime::Runtime;

use crate::build::{self, Project};

/// How often the sources are looked at. A save is taken once two looks have seen the same.
const INTERVAL: Duration = Duration::from_millis(250);
/// Folders that hold no source.
const NO_SOURCE: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// The file that tells a folder of built handlers from one that is somebody else's.
const MARKER: &str = ".made-by-tidemill-dev";

/// Builds handlers into a folder, and again whenever their source is saved.
pub(super) struct Workshop {
    dir: PathBuf,
    out: PathBuf,
    /// What was built, as the source was before the build, so that a save during it is not missed.
    built: Sources,
    checker: Runtime,
}

/// The projects and their sources at one look.
type Sources = BTreeMap<Project, Source>;

/// What a project's source looked like: each file's time and length.
type Source = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Workshop {
    /// A workshop that builds the projects in `dir` into `out`, which holds no other handlers afterwards.
    ///
    /// # Errors
    /// Where `out` holds what no workshop made: nothing is removed then.
    pub(super) fn open(dir: &Path, out: PathBuf) -> anyhow::Result<Self> {
        let workshop = Self { dir: dir.to_owned(), built: look(dir)?, checker: build::checker()?, out };
        workshop.claim()?;
        Ok(workshop)
    }

    /// Removes what was built in `out` before and has no project any more: it must not go on serving.
    fn claim(&self) -> anyhow::Result<()> {
        let (out, marker) = (&self.out, self.out.join(MARKER));
        fs::create_dir_all(out).with_context(|| format!("the folder {} can't be made", out.display()))?;
        let entries = || fs::read_dir(out).with_context(|| format!("{} can't be read", out.display()));
        if !marker.exists() && entries()?.next().is_some() {
            bail!(
                "{} holds what `tidemill dev` did not put there (it has no {MARKER}), and what is built would take its \
                 place: move it away, or choose another folder with --data",
                out.display()
            );
        }
        fs::write(&marker, "").with_context(|| format!("{} can't be written", marker.display()))?;
        for entry in entries()? {
            let entry = entry?;
            let known = self.built.keys().any(|project| entry.file_name() == *project.name);
            if entry.file_type()?.is_dir() && !known {
                fs::remove_dir_all(entry.path())
                    .with_context(|| format!("{} can't be removed", entry.path().display()))?;
            }
        }
        Ok(())
    }

    /// Builds every project. One that can't be built is logged; what was built of it before stays.
    pub(super) async fn build_all(&self) {
        for project in self.built.keys() {
            self.build(project).await;
        }
    }

    /// Builds what is saved or added from now on, and takes back what is removed, for ever.
    pub(super) async fn watch(mut self) {
        let mut seen = self.built.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            // What can't be read now is looked at again in a moment.
            let Ok(now) = look(&self.dir) else { continue };
            for (project, source) in &now {
                // An editor may write a file in steps: what still changes is left until the next look.
                if seen.get(project) == Some(source) && self.built.get(project) != Some(source) {
                    tracing::info!(handler = project.name, "source saved; building");
                    self.build(project).await;
                    self.built.insert(project.clone(), source.clone());
                }
            }
            let gone = |project: &Project| !now.contains_key(project) && !seen.contains_key(project);
            for project in self.built.keys().filter(|project| gone(project)) {
                self.take_back(project);
            }
            self.built.retain(|project, _| !gone(project));
            seen = now;
        }
    }

    async fn build(&self, project: &Project) {
        let start = Instant::now();
        let installed = build::build(project, &self.checker).await.and_then(|(artifact, digest)| {
            install(&self.out, &project.name, &artifact)
                .with_context(|| format!("writing to {}", self.out.display()))?;
            Ok(digest)
        });
        let seconds = start.elapsed().as_secs_f64();
        match installed {
            Ok(digest) => tracing::info!(handler = project.name, %digest, "built in {seconds:.1} s"),
            Err(error) => {
                tracing::error!(handler = project.name, "not built: {error:#}; what was built before goes on serving")
            }
        }
    }

    fn take_back(&self, project: &Project) {
        let (built, hidden) = (self.out.join(&project.name), self.out.join(format!(".{}.gone", project.name)));
        // Hidden first, so that the host never sees half of it.
        match fs::rename(&built, &hidden).and_then(|()| fs::remove_dir_all(&hidden)) {
            Err(error) if built.exists() => {
                tracing::error!(handler = project.name, "{} can't be removed: {error}", built.display())
            }
            _ => tracing::info!(handler = project.name, "its folder is gone; taken back"),
        }
    }
}

fn look(dir: &Path) -> anyhow::Result<Sources> {
    Ok(Project::list(dir)?.into_iter().map(|project| (project.clone(), source(&project.folder))).collect())
}

fn source(folder: &Path) -> Source {
    let mut files = Source::new();
    collect(folder, &mut files);
    files
}

fn collect(folder: &Path, files: &mut Source) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Ok(meta) = entry.metadata() else { continue };
        // Editors' backups and locks among them: `.#lib.rs`, `#lib.rs#`, `lib.rs~`.
        if name.starts_with(['.', '#']) || name.ends_with('~') || NO_SOURCE.contains(&&*name) {
            continue;
        }
        if meta.is_dir() {
            collect(&entry.path(), files);
        } else {
            files.insert(entry.path(), (meta.modified().ok(), meta.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_and_what_is_built_are_no_source() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("target")).unwrap();
        for name in ["lib.rs", "lib.rs~", "#lib.rs#", ".#lib.rs", ".lib.rs.swp", "target/lib.rs"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(source(folder.path()).into_keys().collect::<Vec<_>>(), [folder.path().join("lib.rs")]);
    }
}

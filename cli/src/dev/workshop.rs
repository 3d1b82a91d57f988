use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tidemill_host::registry::install;
use tidemill_host::runtime::Runtime;

use crate::build::{self, Project};

/// How often the sources are looked at. A save is taken once two looks have seen the same.
const INTERVAL: Duration = Duration::from_millis(250);
/// Folders that hold no source.
const NO_SOURCE: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Builds handlers into a folder, and again whenever their source is saved.
pub(super) struct Workshop {
    projects: Vec<Project>,
    /// The projects' sources as they were before the first build, so that a save during it is not missed.
    sources: Vec<Source>,
    out: PathBuf,
    checker: Runtime,
}

/// A workshop at work, until it is dropped.
pub(super) struct Watching {
    _stop: Sender<()>,
}

/// What a project's source looked like: each file's time and length.
type Source = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Workshop {
    /// A workshop that builds `projects` into `out`, which holds nothing else afterwards.
    pub(super) fn new(projects: Vec<Project>, out: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&out).with_context(|| format!("the folder {} can't be made", out.display()))?;
        for entry in fs::read_dir(&out).with_context(|| format!("{} can't be read", out.display()))? {
            let path = entry?.path();
            if !projects.iter().any(|project| path.ends_with(&project.name)) {
                // A handler that was built here before and whose project is gone: it must not go on serving.
                fs::remove_dir_all(&path).with_context(|| format!("{} can't be removed", path.display()))?;
            }
        }
        let sources = projects.iter().map(|project| source(&project.folder)).collect();
        Ok(Self { projects, sources, out, checker: build::checker()? })
    }

    /// Builds every project. One that can't be built is logged; what was built of it before stays.
    pub(super) fn build_all(self) -> Self {
        self.projects.iter().for_each(|project| self.build(project));
        self
    }

    /// Builds again what is saved from now on, on a thread of its own.
    pub(super) fn watch(self) -> anyhow::Result<Watching> {
        let (stop, stopped) = channel();
        std::thread::Builder::new().name("workshop".into()).spawn(move || self.run(&stopped))?;
        Ok(Watching { _stop: stop })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let mut built = std::mem::take(&mut self.sources);
        let mut seen = built.clone();
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            for ((project, built), seen) in self.projects.iter().zip(&mut built).zip(&mut seen) {
                let now = source(&project.folder);
                // An editor may write a file in steps: what still changes is left until the next look.
                if now == *seen && now != *built {
                    tracing::info!(handler = project.name, "source saved; building");
                    self.build(project);
                    built.clone_from(&now);
                }
                *seen = now;
            }
        }
    }

    fn build(&self, project: &Project) {
        let start = Instant::now();
        let installed = build::build(project, &self.checker).and_then(|(artifact, digest)| {
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
}

fn source(folder: &Path) -> Source {
    let mut files = Source::new();
    collect(folder, &mut files);
    files
}

fn collect(folder: &Path, files: &mut Source) {
    // What can't be read now is looked at again in a moment.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Ok(meta) = entry.metadata() else { continue };
        if name.starts_with('.') || NO_SOURCE.contains(&&*name) {
            continue;
        }
        if meta.is_dir() {
            collect(&entry.path(), files);
        } else {
            files.insert(entry.path(), (meta.modified().ok(), meta.len()));
        }
    }
}

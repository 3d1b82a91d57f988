use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::tools::{output, program, root, run, succeeds};

/// Buildah, with a storage of its own, so that nothing outside of the target folder changes.
#[derive(Debug)]
pub(super) struct Buildah {
    storage: PathBuf,
    state: PathBuf,
}

impl Buildah {
    /// Keeps images in `folder`.
    pub(super) fn storing_in(folder: &Path) -> Self {
        Self { storage: folder.join("storage"), state: folder.join("state") }
    }

    /// A subcommand of it.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program("buildah", &root());
        command.arg("--root").arg(&self.storage).arg("--runroot").arg(&self.state);
        // It copies whole folders and is slow, and asks nothing of the kernel: it works within containers, too.
        command.args(["--storage-driver", "vfs"]).args(arguments);
        command
    }

    /// Whether there is an image of this name.
    pub(super) fn has(&self, image: &str) -> bool {
        succeeds(&mut self.command(&["inspect", "--type", "image", image]))
    }

    /// Builds the repository's Dockerfile.
    pub(super) fn build(&self, image: &str) -> Result<()> {
        // Without namespaces, which containers seldom may make, and never asking a registry.
        run(&mut self.command(&["build", "--isolation", "chroot", "--pull-never", "--layers", "--tag", image, "."]))
    }

    /// Makes an image out of what `fill` puts into an empty folder.
    pub(super) fn make(&self, image: &str, settings: &[&str], fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let container = self.container("scratch")?;
        let made = (|| {
            fill(Path::new(&output(&mut self.command(&["mount", &container]))?))?;
            run(self.command(&["config"]).args(settings).arg(&container))?;
            run(&mut self.command(&["commit", "--quiet", &container, image]))
        })();
        self.remove(&container);
        made
    }

    /// Makes a container, and gives its id.
    pub(super) fn container(&self, image: &str) -> Result<String> {
        output(&mut self.command(&["from", "--pull-never", image]))
    }

    /// Removes a container.
    pub(super) fn remove(&self, container: &str) {
        if let Err(error) = output(&mut self.command(&["rm", container])) {
            eprintln!("{error:#}");
        }
    }

    /// How large an image is, for people.
    pub(super) fn size(&self, image: &str) -> Result<String> {
        output(&mut self.command(&["images", "--format", "{{.Size}}", image]))
    }

    /// What a container runs, as its image says.
    pub(super) fn entrypoint(&self, container: &str) -> Result<Vec<String>> {
        let about = output(&mut self.command(&["inspect", container]))?;
        let about: Value = serde_json::from_str(&about).context("buildah inspect gave no JSON")?;
        let words = about.pointer("/OCIv1/config/Entrypoint").and_then(Value::as_array);
        let words = words.context("the image has no entry point in the exec form")?;
        Ok(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
    }
}

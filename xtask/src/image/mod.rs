//! `image`: the Dockerfile, built for real where there is neither a Docker engine nor an image registry.
//!
//! Buildah builds it. The base images that its `FROM` lines name are made here out of Debian packages and this machine's
//! Rust, and tagged with those names, so the Dockerfile itself is the one that everybody uses.

mod bases;
mod buildah;
mod dockerfile;
mod probe;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::setup;
use crate::tools::{program, root, succeeds};
use buildah::Buildah;

/// The name of the image that is built.
const IMAGE: &str = "localhost/tidemill-host";

/// What is to be done of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Make the base images that are missing, build the image, and run it once.
    All,
    /// Only make the base images.
    Bases,
    /// Only run the image that was built before.
    Run,
}

/// Does the work. Fails where the image can't be built, or doesn't behave.
pub(crate) fn main(work: Work) -> Result<()> {
    need_tools()?;
    let folder = root().join("target/image");
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let buildah = Buildah::storing_in(&folder);
    if work != Work::Run {
        let text = fs::read_to_string(root().join("Dockerfile")).context("the Dockerfile can't be read")?;
        for name in dockerfile::bases(&text) {
            bases::make(&buildah, name, &folder)?;
        }
    }
    if work == Work::All {
        println!("\n== Building {IMAGE}: about 15 minutes on two cores, most of it the engine and its optimisation ==");
        let start = Instant::now();
        buildah.build(IMAGE)?;
        println!("built in {:.0} s", start.elapsed().as_secs_f64());
    }
    if work != Work::Bases {
        println!("\n== Running {IMAGE} once; it has {} ==", buildah.size(IMAGE)?);
        probe::run(&buildah, &Interrupt::listen()?, IMAGE, &folder)?;
    }
    Ok(())
}

/// Sees to it that there are the programs that this takes.
fn need_tools() -> Result<()> {
    let here = root();
    if !setup::is_root()? {
        bail!("making base images takes root, for debootstrap: sudo; with Docker, docker build --tag tidemill-host .");
    }
    let missing: Vec<_> = ["buildah", "debootstrap"]
        .into_iter()
        .filter(|tool| !succeeds(program(tool, &here).arg("--version")))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    setup::apt_install(&missing).context("this command needs Debian, or buildah and debootstrap installed by hand")
}

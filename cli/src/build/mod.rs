//! `tidemill build`: a handler's folder to a component that a host can serve.

mod project;
mod rust;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use tidemill_host::config::{HandlerValues, Quota};
use tidemill_host::registry::{Artifact, ArtifactError, Digest, ManifestError, install};
use tidemill_host::runtime::{Grant, Runtime, RuntimeConfig};

pub(crate) use project::Project;

use crate::failure::Failure;

/// What a manifest may ask for at most, of any host: what is over this is a mistake.
pub(crate) const QUOTA: Quota = Quota { deadline: Duration::from_secs(600), memory: 1 << 30 };

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("build")
        .about("Builds a handler's folder, or a folder of such folders, to components that a host can serve")
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .default_value(".")
                .help("A handler's folder (it holds handler.toml), or one that holds several"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .default_value("./handlers")
                .help("Where to put them, a folder each; a host that watches it swaps at once"),
        )
        .arg(crate::output_flag())
        .after_help("Example: tidemill build guest-handlers/email-on-register --out ./handlers")
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let path = |name: &str| PathBuf::from(flags.get_one::<String>(name).map(String::as_str).unwrap_or_default());
    let (dir, out) = (path("dir"), path("out"));
    let projects = Project::find(&dir).map_err(Failure::misused)?;
    let checker = checker()?;
    let mut built = Vec::new();
    for project in &projects {
        let start = Instant::now();
        let (artifact, digest) = build(project, &checker)?;
        install(&out, &project.name, &artifact).with_context(|| format!("writing to {}", out.display()))?;
        let to = out.join(&project.name);
        if crate::wants_json(flags) {
            built.push(json!({
                "handler": project.name, "artifact": digest.to_string(), "bytes": artifact.wasm.len(), "folder": to,
            }));
        } else {
            let (kib, seconds) = (artifact.wasm.len() >> 10, start.elapsed().as_secs_f64());
            println!("built {} ({kib} KiB, {digest}) in {seconds:.1} s: {}", project.name, to.display());
        }
    }
    if crate::wants_json(flags) {
        println!("{}", json!({ "built": built }));
    }
    Ok(ExitCode::SUCCESS)
}

/// A runtime to check components with before anybody serves them.
pub(crate) fn checker() -> anyhow::Result<Runtime> {
    Ok(Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: QUOTA.memory })?)
}

/// Builds one project, and checks that a host can load what came of it.
pub(crate) fn build(project: &Project, checker: &Runtime) -> anyhow::Result<(Artifact, Digest)> {
    let wasm = rust::build(&project.folder)?;
    let manifest_path = project.folder.join("handler.toml");
    let manifest =
        std::fs::read(&manifest_path).with_context(|| format!("{} can't be read", manifest_path.display()))?;
    let artifact = Artifact { manifest, wasm };
    check(project, &artifact, checker)?;
    let digest = artifact.digest();
    Ok((artifact, digest))
}

/// The same judgement that a host passes, apart from values that only the operator has.
fn check(project: &Project, artifact: &Artifact, checker: &Runtime) -> anyhow::Result<()> {
    let folder = project.folder.display();
    match artifact.load(checker, &project.name, &HandlerValues::default(), QUOTA) {
        Ok(_) => Ok(()),
        // A required value is the operator's to give, and an origin may hang on it; the component is still looked at.
        Err(ArtifactError::Manifest(ManifestError::Missing { .. })) => {
            let any_origin = "http://127.0.0.1".parse()?;
            let grant = Grant { memory: QUOTA.memory, http: vec![any_origin], ..Grant::default() };
            let loaded = checker.load(&artifact.wasm, &grant);
            loaded.map(drop).map_err(|error| anyhow::anyhow!("{folder}: handler.wasm: {error}"))
        }
        Err(error) => Err(anyhow::anyhow!("{folder}: {error}")),
    }
}

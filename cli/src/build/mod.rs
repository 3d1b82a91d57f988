//! `tidemill build`: a handler's folder to a component that a host can serve.

mod project;
mod rust;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::config::{Grants, HandlerValues, Quota, Terms};
use tidemill_host::key_value::MemoryStore;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::registry::{Artifact, ArtifactError, Digest, Handler, ManifestError, install};
use tidemill_host::runtime::{Runtime, RuntimeConfig};

pub(crate) use project::Project;

use crate::failure::Failure;
use crate::output::say;

/// What a manifest may ask for at most, of any host: what is over this is a mistake.
pub(crate) const QUOTA: Quota = Quota { deadline: Duration::from_secs(600), memory: 1 << 30 };

/// What a handler may keep under keys, in bytes, where a command runs it: a host's default.
pub(crate) const KEPT: u64 = 16 << 20;

/// What stands for a value that only the operator has: a URL, since an origin may hang on it.
pub(crate) const PLACEHOLDER: &str = "http://127.0.0.1";

/// What holds where a handler is its author's own: it gets what it asks for.
pub(crate) fn terms(values: HandlerValues) -> Terms {
    Terms { values, quota: QUOTA, grants: Grants::all() }
}

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
    let as_json = crate::wants_json(flags);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let mut built = Vec::new();
    let ended = runtime.block_on(build_all(&projects, &out, as_json, &mut built));
    if as_json {
        // Where one failed, those before it are in place nevertheless.
        say(json!({ "built": built }));
    }
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Builds one after another, up to the first that fails.
async fn build_all(projects: &[Project], out: &Path, as_json: bool, built: &mut Vec<Value>) -> anyhow::Result<()> {
    let checker = checker()?;
    for project in projects {
        let start = Instant::now();
        let (artifact, digest) = build(project, &checker).await?;
        install(out, &project.name, &artifact).with_context(|| format!("writing to {}", out.display()))?;
        let to = out.join(&project.name);
        if !as_json {
            let (kib, seconds) = (artifact.wasm.len() >> 10, start.elapsed().as_secs_f64());
            say(format_args!("built {} ({kib} KiB, {digest}) in {seconds:.1} s: {}", project.name, to.display()));
        }
        built.push(json!({
            "handler": project.name, "artifact": digest.to_string(), "bytes": artifact.wasm.len(), "folder": to,
        }));
    }
    Ok(())
}

/// A runtime to check components with before anybody serves them.
pub(crate) fn checker() -> anyhow::Result<Runtime> {
    runtime(&OutgoingConfig::default())
}

/// A runtime for one instance at a time, whose requests reach what this says, and which keeps what it keeps in memory.
pub(crate) fn runtime(outgoing: &OutgoingConfig) -> anyhow::Result<Runtime> {
    let outgoing = Outgoing::new(outgoing, Arc::new(SystemResolver::default()))?;
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: QUOTA.memory, outgoing })?;
    Ok(runtime.keeping(Some(Arc::new(MemoryStore::new(KEPT)))).publishing(true))
}

/// Builds one project, and checks that a host can load what came of it. Dropping the future ends the build.
///
/// It is for a runtime of several threads: the check takes seconds of one.
pub(crate) async fn build(project: &Project, checker: &Runtime) -> anyhow::Result<(Artifact, Digest)> {
    let wasm = rust::build(&project.folder).await?;
    let manifest_path = project.folder.join("handler.toml");
    let manifest =
        std::fs::read(&manifest_path).with_context(|| format!("{} can't be read", manifest_path.display()))?;
    let artifact = Artifact { manifest, wasm };
    tokio::task::block_in_place(|| check(project, &artifact, checker))?;
    let digest = artifact.digest();
    Ok((artifact, digest))
}

fn check(project: &Project, artifact: &Artifact, checker: &Runtime) -> anyhow::Result<()> {
    let judged = judge(artifact, &project.name, checker);
    judged.map(drop).map_err(|error| anyhow::anyhow!("{}: {error}", project.folder.display()))
}

/// The same judgement that a host passes, apart from values that only the operator has. `folder` names the handler where
/// its manifest doesn't.
pub(crate) fn judge(artifact: &Artifact, folder: &str, checker: &Runtime) -> anyhow::Result<Arc<Handler>> {
    let terms = terms(HandlerValues::default());
    match artifact.load(checker, folder, &terms) {
        Err(ArtifactError::Manifest(ManifestError::Missing { .. })) => {
            let manifest = with_values(&artifact.manifest)?;
            let artifact = Artifact { manifest, wasm: artifact.wasm.clone() };
            Ok(artifact.load(checker, folder, &terms)?)
        }
        loaded => Ok(loaded?),
    }
}

/// The manifest with a value wherever it leaves one to the operator.
pub(crate) fn with_values(manifest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut manifest: toml::Table = std::str::from_utf8(manifest)?.parse()?;
    let config = manifest.get_mut("config").and_then(toml::Value::as_table_mut);
    for (_, value) in config.into_iter().flatten().filter(|(_, value)| value.is_table()) {
        *value = PLACEHOLDER.into();
    }
    Ok(manifest.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use tidemill_test_artifacts::{EMAIL_ON_REGISTER, EMAIL_ON_REGISTER_MANIFEST};

    use super::*;

    #[test]
    fn a_component_is_held_to_its_own_memory_cap_where_a_value_is_missing_too() {
        let project = Project { folder: "mail".into(), name: "mail".into() };
        let manifest = std::fs::read_to_string(EMAIL_ON_REGISTER_MANIFEST).unwrap();
        let check_with = |memory: &str| {
            let manifest = manifest.replace("32MiB", memory).into_bytes();
            let artifact = Artifact { manifest, wasm: std::fs::read(EMAIL_ON_REGISTER).unwrap() };
            check(&project, &artifact, &checker().unwrap())
        };
        check_with("32MiB").unwrap();
        let refused = check_with("64KiB").unwrap_err().to_string();
        assert!(refused.starts_with("mail: handler.wasm: "), "{refused}");
    }
}

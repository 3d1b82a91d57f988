use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use tidemill_host::artifact::{Artifact, Digest, MAX_COMPONENT, MAX_MANIFEST};
use tidemill_host::registry::Handler;
use tidemill_host::runtime::Runtime;
use tidemill_host::store::{Component, ComponentUrl, HANDLER_MANIFEST};
use tidemill_host::trust::{Envelope, MAX_ENVELOPE, SIGNATURE_FILE};

use crate::build::judge;
use crate::output::progress;

/// A handler's artifact as it lies on disk.
#[derive(Debug)]
pub(super) struct Found {
    /// What people named it by.
    path: PathBuf,
    /// Where its manifest and its signature are.
    pub(super) folder: PathBuf,
    /// The handler's name.
    pub(super) name: String,
    /// Its bytes.
    pub(super) artifact: Artifact,
    /// The signature that lies beside it, if any; or what is wrong with that file.
    pub(super) signature: anyhow::Result<Option<Envelope>>,
}

/// An artifact that a host could serve.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The handler, as it was loaded to be judged.
    pub(super) handler: Arc<Handler>,
    /// Its bytes.
    pub(super) artifact: Artifact,
    /// Their digest.
    pub(super) digest: Digest,
    /// The signature that lay beside them.
    pub(super) envelope: Option<Envelope>,
}

/// Reads what is at `path`: a component's file with its handler.toml beside it, a folder that holds both, or a folder of
/// such folders, of which those that are hidden are left out. At least one.
pub(super) fn find(path: &Path) -> anyhow::Result<Vec<Found>> {
    if path.is_file() {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Of the usual name, which says nothing, the folder's counts.
        let name = match path.file_stem().unwrap_or_default().to_string_lossy() {
            stem if stem == "handler" => name(folder)?,
            stem => handler_name(&stem),
        };
        return Ok(vec![read(path.to_owned(), name, folder, path)?]);
    }
    if is_handler(path) {
        return Ok(vec![read_folder(path)?]);
    }
    let entries = path.read_dir().with_context(|| format!("{}: it can't be read", path.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') && is_handler(&entry.path()) {
            folders.push(entry.path());
        }
    }
    if folders.is_empty() {
        bail!(
            "no handler in {}: a handler's folder holds handler.toml and handler.wasm, as `tidemill build` writes it",
            path.display()
        );
    }
    folders.sort();
    folders.iter().map(|folder| read_folder(folder)).collect()
}

/// Gets a component that was pushed to a registry. Its handler.toml is in the file that `manifest` names, or it was pushed
/// with it.
pub(super) async fn pull(
    url: &ComponentUrl,
    manifest: Option<&Path>,
    variables: &[(String, String)],
) -> anyhow::Result<Found> {
    let Component { wasm, manifest: pushed, digest } = url.pull(variables).await?;
    progress(format_args!("{url} is {digest}"));
    let manifest = match (manifest, pushed) {
        (Some(file), _) => read_file(file, MAX_MANIFEST, "--manifest names it")?,
        (None, Some(pushed)) => pushed,
        (None, None) => bail!(
            "{url}: it was pushed without a handler.toml, which says which events it serves: name one, --manifest FILE, or \
             push the component with it, wkg oci push --annotation \"{HANDLER_MANIFEST}=$(base64 -w0 handler.toml)\""
        ),
    };
    let (path, name) = (PathBuf::from(url.to_string()), handler_name(url.name()));
    Ok(Found { path, folder: PathBuf::new(), name, artifact: Artifact { manifest, wasm }, signature: Ok(None) })
}

/// The name of a handler whose component is called so.
fn handler_name(stem: &str) -> String {
    stem.replace('_', "-").to_ascii_lowercase()
}

/// Judges them as a host would. What is wrong with each is said together.
pub(super) fn judge_all(found: Vec<Found>, checker: &Runtime) -> anyhow::Result<Vec<Candidate>> {
    let (mut candidates, mut problems): (Vec<Candidate>, Vec<String>) = (Vec::new(), Vec::new());
    for Found { path, name, artifact, signature, .. } in found {
        match (judge(&artifact, &name, checker), signature) {
            (Ok(handler), Ok(envelope)) => {
                candidates.push(Candidate { path, handler, digest: artifact.digest(), artifact, envelope });
            }
            (judged, signature) => {
                problems.extend(judged.err().map(|error| format!("{}: {error}", path.display())));
                problems.extend(
                    signature
                        .err()
                        .map(|error| format!("{error:#}; sign it again with `tidemill sign`, or remove the file")),
                );
            }
        }
    }
    if problems.is_empty() { Ok(candidates) } else { bail!("{}; nothing was deployed", problems.join("\n")) }
}

fn is_handler(folder: &Path) -> bool {
    folder.join("handler.toml").exists() || folder.join("handler.wasm").exists()
}

fn read_folder(folder: &Path) -> anyhow::Result<Found> {
    read(folder.to_owned(), name(folder)?, folder, &folder.join("handler.wasm"))
}

/// A folder's name, which `.` and `..` don't say.
fn name(folder: &Path) -> anyhow::Result<String> {
    let whole = match folder.file_name() {
        Some(_) => folder.to_owned(),
        None => folder.canonicalize().with_context(|| format!("{}: it can't be found", folder.display()))?,
    };
    Ok(whole.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

fn read(path: PathBuf, name: String, folder: &Path, component: &Path) -> anyhow::Result<Found> {
    let advice = "a handler.toml beside the component says which events it serves";
    let manifest = read_file(&folder.join("handler.toml"), MAX_MANIFEST, advice)?;
    let wasm = read_file(component, MAX_COMPONENT, "`tidemill build --out DIR` makes it; then deploy that DIR")?;
    let signature = read_signature(&folder.join(SIGNATURE_FILE));
    Ok(Found { path, folder: folder.to_owned(), name, artifact: Artifact { manifest, wasm }, signature })
}

fn read_signature(path: &Path) -> anyhow::Result<Option<Envelope>> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_file(path, MAX_ENVELOPE as u64, "")?;
    Envelope::read(&bytes).map(Some).with_context(|| path.display().to_string())
}

/// Reads a file of at most `limit` bytes. `advice` is for who has none.
fn read_file(path: &Path, limit: u64, advice: &str) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("{shown}: there is no such file; {advice}"),
        meta => meta.with_context(|| format!("{shown}: it can't be read"))?,
    };
    if !meta.is_file() {
        bail!("{shown}: it is no regular file; put the file itself, or a link to it, there");
    }
    if meta.len() > limit {
        bail!("{shown}: it has {} bytes; at most {limit} are taken", meta.len());
    }
    fs::read(path).with_context(|| format!("{shown}: it can't be read"))
}

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::ArgMatches;
use serde_json::json;
use tidemill_host::artifact::{Artifact, Digest};
use tidemill_host::store::{Release, ReleaseNumber};
use tidemill_host::trust::Trust;

use super::no_key;
use crate::build::{checker, judge};
use crate::failure::Failure;
use crate::output::{printable, say};
use crate::release::Desk;
use crate::release::change::short;
use crate::release::stock::Signing;

/// An artifact of the release, and the handler that it is of there.
type Wanted<'a> = (&'a str, Digest);

/// Signs artifacts of a release that somebody vouches for: whoever names them, or a trusted key. What the store says is
/// nobody's word, or who can write to it could have anything signed.
pub(super) async fn run(desk: &Desk, flags: &ArgMatches, trust: &Trust) -> Result<ExitCode, Failure> {
    let signing = Signing::of(flags, &desk.variables)?.ok_or_else(no_key)?;
    let release = match flags.get_one::<ReleaseNumber>("release") {
        Some(number) => desk.store.release(*number).await?,
        None => desk.something_live().await?.release,
    };
    let handlers: BTreeSet<&str> = flags.get_many("handler").into_iter().flatten().map(String::as_str).collect();
    let named: BTreeSet<Digest> = flags.get_many("artifact").into_iter().flatten().copied().collect();
    let wanted = wanted(&release, &handlers, &named)?;
    if named.is_empty() {
        vouched_for(desk, trust, &wanted).await?;
    }
    let checker = checker()?;
    let mut loaded = Vec::new();
    for (name, digest) in wanted {
        let artifact = desk.store.artifact(digest).await?;
        if !named.is_empty() && handlers.is_empty() {
            says_its_name(&artifact).with_context(|| digest.to_string())?;
        }
        let handler = tokio::task::block_in_place(|| judge(&artifact, name, &checker));
        loaded.push((name, artifact, handler.with_context(|| format!("{} ({digest})", printable(name)))?));
    }
    let mut signed = Vec::new();
    for (name, artifact, handler) in loaded {
        let stock = signing.sign(artifact, &handler, checker.id())?;
        let (new, digest) = (stock.put(&desk.store, true).await? > 0, stock.digest());
        if !desk.as_json {
            let already = if new { "" } else { ", as it was already" };
            say(format_args!("signed {} ({}){already}", printable(name), short(digest)));
        }
        signed.push(json!({ "handler": name, "artifact": digest, "new": new }));
    }
    if desk.as_json {
        say(json!({ "release": release.number, "signed": signed }));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked for: of these handlers, or of all, these artifacts, or all.
fn wanted<'a>(
    release: &'a Release,
    handlers: &BTreeSet<&str>,
    named: &BTreeSet<Digest>,
) -> anyhow::Result<Vec<Wanted<'a>>> {
    let number = release.number;
    if let Some(stranger) = handlers.iter().find(|name| !release.handlers.contains_key(**name)) {
        bail!("release {number} has no handler {stranger:?}");
    }
    let of_handlers = release.artifacts().filter(|(name, _)| handlers.is_empty() || handlers.contains(name));
    let wanted: Vec<_> = of_handlers.filter(|(_, digest)| named.is_empty() || named.contains(digest)).collect();
    if let Some(stranger) = named.iter().find(|named| !wanted.iter().any(|(_, digest)| digest == *named)) {
        let of = if handlers.is_empty() { "" } else { " of these handlers" };
        bail!("release {number} has no artifact {stranger}{of}; `tidemill releases --output json` shows what each has");
    }
    Ok(wanted)
}

/// Fails unless a trusted key has signed all of them as these handlers.
async fn vouched_for(desk: &Desk, trust: &Trust, wanted: &[Wanted<'_>]) -> Result<(), Failure> {
    let mut strangers = Vec::new();
    for &(name, digest) in wanted {
        let vouched = trust.judge(name, digest, &desk.store.signatures(digest).await?);
        if !vouched.is_ok_and(|vouched| vouched.by.is_some()) {
            strangers.push(format!("--artifact {digest} ({})", printable(name)));
        }
    }
    if strangers.is_empty() {
        return Ok(());
    }
    let keys =
        if trust.has_keys() { "no trusted key has signed these yet" } else { "no key is trusted (--trusted-key)" };
    Err(anyhow!(
        "nothing was signed: {keys}, and that a store has them is no reason to, since whoever can write to it can put \
         anything there. Compare each with the digest that `tidemill build` or `tidemill deploy --output json` showed where \
         you trust it, and name those that you vouch for: {}",
        strangers.join(", ")
    )
    .into())
}

/// Fails where only the store says which handler the artifact is of: its digest covers no name then.
fn says_its_name(artifact: &Artifact) -> anyhow::Result<()> {
    let manifest: toml::Table = std::str::from_utf8(&artifact.manifest)?.parse()?;
    if manifest.contains_key("name") {
        return Ok(());
    }
    bail!(
        "its handler.toml has no `name`, so only the store says which handler it is of: say it too, --handler HANDLER"
    )
}

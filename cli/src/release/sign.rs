//! `tidemill sign`: vouches for artifacts, in folders or in a store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::trust::{Envelope, SecretKey, Statement};

use super::artifacts::{self, Found};
use super::change::short;
use super::stock::{Signing, compile_flag, key, key_flag};
use super::{Desk, store_flags};
use crate::build::{checker, judge};
use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("sign")
        .about("Signs artifacts: those of a folder, into a file handler.sig beside each, or those that are live in a store")
        .arg(
            Arg::new("path")
                .value_name("DIR|FILE")
                .help("A handler's folder, a folder of such folders, or a component's file; left away, the store is meant"),
        )
        .arg(
            Arg::new("handler")
                .long("handler")
                .value_name("HANDLER")
                .action(ArgAction::Append)
                .conflicts_with("path")
                .help("Sign those of this handler; may be given more than once [default: all that are live]"),
        )
        .arg(key_flag())
        .arg(compile_flag())
        .args(store_flags())
        .after_help("Example: tidemill sign ./handlers --sign-with release.pem")
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let Some(path) = flags.get_one::<String>("path") else {
        return super::main(flags, variables, run);
    };
    if flags.get_flag("compile") {
        return Err(Failure::misused("--compile is for a store: a folder of handlers has no place for compiled code"));
    }
    let key = key(flags, &variables)?.ok_or_else(no_key)?;
    let found = artifacts::find(&PathBuf::from(path)).map_err(|error| Failure::misused(format!("{error:#}")))?;
    let mut signed = Vec::new();
    for found in found {
        signed.push(sign_file(&found, &key)?);
    }
    if crate::wants_json(flags) {
        say(json!({ "signed": signed }));
    }
    for line in signed.iter().filter(|_| !crate::wants_json(flags)) {
        say(format_args!("signed {} ({}): {}", text(line, "handler"), text(line, "artifact"), text(line, "file")));
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

fn no_key() -> Failure {
    Failure::misused("no key to sign with: name one, --sign-with FILE; `tidemill keygen` makes one")
}

/// Signs a handler that lies on disk. Another key's signature of the same stays beside this one's.
fn sign_file(found: &Found, key: &SecretKey) -> anyhow::Result<Value> {
    let Found { folder, name, artifact, signature, .. } = found;
    let statement = Statement::of(name, artifact);
    // A file that can't be read as a signature is nobody's: this one takes its place.
    let envelope = match signature {
        Ok(Some(there)) if there.statement()? == statement => {
            let mut envelope = there.clone();
            envelope.add(key);
            envelope
        }
        _ => Envelope::sign(&statement, key)?,
    };
    let file = folder.join(artifacts::SIGNATURE);
    write_whole(&file, &envelope.write()?).with_context(|| format!("{}: it can't be written", file.display()))?;
    Ok(json!({ "handler": name, "artifact": statement.artifact, "key_id": key.public().id(), "file": file }))
}

/// Writes a file so that who watches the folder sees the one before, or this one whole.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("sig.{}", std::process::id()));
    let written = std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    written.inspect_err(|_| _ = std::fs::remove_file(&unfinished))
}

/// Signs what is live in the store.
async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let signing = Signing::of(flags, &desk.variables)?.ok_or_else(no_key)?;
    let current = desk.something_live().await?;
    let wanted: Vec<_> = flags.get_many::<String>("handler").into_iter().flatten().collect();
    if let Some(stranger) = wanted.iter().find(|name| !current.release.handlers.contains_key(**name)) {
        let number = current.release.number;
        return Err(anyhow!("release {number}, which is live, has no handler {stranger:?}").into());
    }
    let checker = checker()?;
    let mut signed = Vec::new();
    let needed = current.release.artifacts();
    for (name, digest) in needed.filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)) {
        let artifact = desk.store.artifact(digest).await?;
        let handler = tokio::task::block_in_place(|| judge(&artifact, name, &checker));
        let handler = handler.with_context(|| format!("{} ({digest})", printable(name)))?;
        let stock = signing.sign(artifact, &handler, checker.id())?;
        let new = stock.put(&desk.store, true).await? > 0;
        if !desk.as_json {
            let already = if new { "" } else { ", as it was already" };
            say(format_args!("signed {} ({}){already}", printable(name), short(digest)));
        }
        signed.push(json!({ "handler": name, "artifact": digest, "new": new }));
    }
    if desk.as_json {
        say(json!({ "release": current.release.number, "signed": signed }));
    }
    Ok(ExitCode::SUCCESS)
}

//! `tidemill sign`: vouches for artifacts, in folders or in a store.

mod in_store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::artifact::Digest;
use tidemill_host::config::Sources;
use tidemill_host::store::ReleaseNumber;
use tidemill_host::trust::{Envelope, SIGNATURE_FILE, SecretKey, Statement};

use super::artifacts::{self, Found};
use super::stock::{compile_flag, key, key_flag};
use super::store_flags;
use super::verify::trusted_key_flag;
use crate::failure::Failure;
use crate::output::say;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("sign")
        .about("Signs artifacts: those of a folder, into a file handler.sig beside each, or those of a store's release")
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
                .help("Sign those of this handler; may be given more than once [default: all of the release]"),
        )
        .arg(
            Arg::new("release")
                .long("release")
                .value_name("N")
                .value_parser(str::parse::<ReleaseNumber>)
                .conflicts_with("path")
                .help("Sign those of this release, as before a rollback to it [default: what is live]"),
        )
        .arg(
            Arg::new("artifact")
                .long("artifact")
                .value_name("sha256:HEX")
                .value_parser(str::parse::<Digest>)
                .action(ArgAction::Append)
                .conflicts_with("path")
                .help("Sign this one, and no other that isn't named so; may be given more than once"),
        )
        .arg(trusted_key_flag().conflicts_with("path"))
        .arg(key_flag())
        .arg(compile_flag())
        .args(store_flags())
        .after_help(
            "In a store those are signed that --artifact names; without it all of the release, if each is signed by one \
             of the trusted keys already. A store's word alone is no reason to sign.\n\n\
             Example: tidemill sign ./handlers --sign-with release.pem",
        )
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let Some(path) = flags.get_one::<String>("path") else {
        let trust = Sources::gather(flags, variables.clone(), Path::new(".")).trust().map_err(Failure::misused)?;
        return super::main(flags, variables, async |desk, flags| in_store::run(desk, flags, &trust).await);
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
    let file = folder.join(SIGNATURE_FILE);
    write_whole(&file, &envelope.write()?).with_context(|| format!("{}: it can't be written", file.display()))?;
    Ok(json!({ "handler": name, "artifact": statement.artifact, "key_id": key.public().id(), "file": file }))
}

/// Writes a file so that who watches the folder sees the one before, or this one whole.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("sig.{}", std::process::id()));
    let written = std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    written.inspect_err(|_| _ = std::fs::remove_file(&unfinished))
}

//! `tidemill keygen`: a key that artifacts are signed with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use tidemill_host::trust::SecretKey;

use crate::failure::Failure;
use crate::output::{progress, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("keygen")
        .about("Makes a key that artifacts are signed with, and prints what hosts have to know to trust it")
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .default_value("tidemill-signing.pem")
                .help("Where to put the secret key; a file that is there is left alone"),
        )
        .arg(crate::output_flag())
        .after_help(
            "Keep the file secret: who has it decides what hosts run. The key that is printed is no secret.\n\n\
             Example: tidemill keygen --out release.pem",
        )
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let path = flags.get_one::<String>("out").map(String::as_str).unwrap_or_default();
    let (key, pem) = SecretKey::generate().map_err(anyhow::Error::from)?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::Failed(anyhow!(
                "{path}: there is such a file already, which may be a key; name another with --out"
            )));
        }
        opened => opened.with_context(|| format!("{path}: it can't be written"))?,
    };
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    // Half a key is no key, and would be taken for one: by people, and by the next `keygen`.
    let written = written.inspect_err(|_| _ = std::fs::remove_file(path));
    written.with_context(|| format!("{path}: it can't be written"))?;
    let public = key.public();
    if crate::wants_json(flags) {
        say(json!({ "file": path, "public_key": public.to_string(), "key_id": public.id() }));
    } else {
        say(public);
        progress(format_args!(
            "the secret key is in {path}: sign with --sign-with {path}; have hosts trust it with --trusted-key NAME={public}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

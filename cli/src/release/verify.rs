//! `tidemill verify`: whether artifacts are signed by keys that are trusted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::artifact::Digest;
use tidemill_host::config::Sources;
use tidemill_host::trust::{Envelope, Trust, Vouched};

use super::artifacts::{self, Found};
use super::change::short;
use super::{Desk, store_flags};
use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("verify")
        .about("Says by which trusted key each artifact is signed: those of a folder, or those that are live in a store")
        .arg(
            Arg::new("path")
                .value_name("DIR|FILE")
                .help("A handler's folder, a folder of such folders, or a component's file; left away, the store is meant"),
        )
        .arg(
            Arg::new("trusted-key")
                .long("trusted-key")
                .value_name("NAME=ed25519:KEY")
                .action(ArgAction::Append)
                .help("Key whose signatures count; may be given more than once [TIDEMILL_TRUSTED_KEYS]"),
        )
        .args(store_flags())
        .after_help(
            "Exit code 1 where one is not signed by any of the keys: a host that trusts those keys would not serve it.\n\n\
             Example: tidemill verify --store gs://bucket/tidemill --trusted-key release=ed25519:q83v…",
        )
}

/// Runs the command.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let trust = Sources::gather(flags, variables.clone(), Path::new(".")).trust().map_err(Failure::misused)?;
    if !trust.has_keys() {
        return Err(Failure::misused(
            "no key is trusted: name one, --trusted-key NAME=ed25519:…, as `tidemill keygen` prints it",
        ));
    }
    let trust = trust.requiring();
    let Some(path) = flags.get_one::<String>("path") else {
        return super::main(flags, variables, async |desk, _| run(desk, &trust).await);
    };
    let found = artifacts::find(&PathBuf::from(path)).map_err(|error| Failure::misused(format!("{error:#}")))?;
    let judged = found.into_iter().map(|Found { name, artifact, signature, .. }| match signature {
        Ok(envelope) => Judged::new(&trust, &name, artifact.digest(), envelope.as_slice()),
        Err(error) => Judged { handler: name, digest: artifact.digest(), vouched: Err(format!("{error:#}")) },
    });
    Ok(tell(&judged.collect::<Vec<_>>(), crate::wants_json(flags)))
}

async fn run(desk: &Desk, trust: &Trust) -> Result<ExitCode, Failure> {
    let current = desk.something_live().await?;
    let mut judged = Vec::new();
    for (name, digest) in current.release.artifacts() {
        // Its bytes too: a signature of what is there no more says nothing.
        desk.store.artifact(digest).await?;
        judged.push(Judged::new(trust, name, digest, &desk.store.signatures(digest).await?));
    }
    Ok(tell(&judged, desk.as_json))
}

/// What is known of an artifact.
struct Judged {
    handler: String,
    digest: Digest,
    /// Who vouches for it, and for which engines' code; or why nobody does.
    vouched: Result<Vouched, String>,
}

impl Judged {
    fn new(trust: &Trust, handler: &str, digest: Digest, envelopes: &[Envelope]) -> Self {
        let vouched = trust.judge(handler, digest, envelopes).map_err(|untrusted| untrusted.to_string());
        Self { handler: handler.to_owned(), digest, vouched }
    }

    fn in_words(&self) -> String {
        let (handler, digest) = (printable(&self.handler), short(self.digest));
        match &self.vouched {
            Ok(vouched) => {
                let by = vouched.by.as_deref().unwrap_or_default();
                let engines: Vec<_> = vouched.engines().map(ToString::to_string).collect();
                let code =
                    if engines.is_empty() { String::new() } else { format!(", with code for {}", engines.join(", ")) };
                format!("{handler}: {digest} is signed by {by}{code}")
            }
            Err(problem) => format!("{handler}: {digest}: {}", printable(problem)),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "handler": self.handler,
            "artifact": self.digest,
            "signed_by": self.vouched.as_ref().ok().and_then(|vouched| vouched.by.as_deref()),
            "code_for": self.vouched.iter().flat_map(Vouched::engines).collect::<Vec<_>>(),
            "problem": self.vouched.as_ref().err(),
        })
    }
}

fn tell(judged: &[Judged], as_json: bool) -> ExitCode {
    if as_json {
        say(json!({ "artifacts": judged.iter().map(Judged::as_json).collect::<Vec<_>>() }));
    } else {
        judged.iter().for_each(|judged| say(judged.in_words()));
    }
    if judged.iter().all(|judged| judged.vouched.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

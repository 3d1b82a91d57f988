//! `tidemill verify`: whether artifacts are signed by keys that are trusted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::artifact::Digest;
use tidemill_host::config::Sources;
use tidemill_host::store::{Store, StoreError};
use tidemill_host::trust::{EngineId, Envelope, Trust, Vouched};

use super::artifacts::{self, Found};
use super::change::short;
use super::{Desk, store_flags};
use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("verify")
        .about(
            "Says by which trusted key each artifact is signed: those of a folder, or those that are live in a store",
        )
        .arg(
            Arg::new("path").value_name("DIR|FILE").help(
                "A handler's folder, a folder of such folders, or a component's file; left away, the store is meant",
            ),
        )
        .arg(trusted_key_flag())
        .args(store_flags())
        .after_help(
            "Exit code 1 where one is not signed by any of the keys: a host that trusts those keys would not serve it. \
             Compiled code that is missing or changed is named, and no failure: hosts compile then.\n\n\
             Example: tidemill verify --store gs://bucket/tidemill --trusted-key release=ed25519:q83v…",
        )
}

/// The flag that names the keys whose signatures count, as it does for hosts.
pub(super) fn trusted_key_flag() -> Arg {
    Arg::new("trusted-key")
        .long("trusted-key")
        .value_name("NAME=ed25519:KEY")
        .action(ArgAction::Append)
        .help("Key whose signatures count; may be given more than once [TIDEMILL_TRUSTED_KEYS]")
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
        Err(error) => Judged {
            handler: name,
            digest: artifact.digest(),
            vouched: Err(format!("{error:#}")),
            code: BTreeMap::new(),
        },
    });
    Ok(tell(&judged.collect::<Vec<_>>(), crate::wants_json(flags)))
}

async fn run(desk: &Desk, trust: &Trust) -> Result<ExitCode, Failure> {
    let current = desk.something_live().await?;
    let mut judged = Vec::new();
    for (name, digest) in current.release.artifacts() {
        // Its bytes too: a signature of what is there no more says nothing.
        let artifact = desk.store.artifact(digest).await?;
        let signatures = desk.store.signatures(digest).await?;
        judged.push(Judged::new(trust, name, digest, &signatures).with_code(&desk.store, &artifact.manifest).await?);
    }
    Ok(tell(&judged, desk.as_json))
}

/// What is known of an artifact.
struct Judged {
    handler: String,
    digest: Digest,
    /// Who vouches for it, and for which engines' code; or why nobody does.
    vouched: Result<Vouched, String>,
    /// What there is of the code that is vouched for, where a store has a place for it.
    code: BTreeMap<EngineId, Code>,
}

/// What lies where the code for an engine belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// What was signed.
    Signed,
    /// Nothing.
    Missing,
    /// Something else.
    Changed,
}

impl Judged {
    fn new(trust: &Trust, handler: &str, digest: Digest, envelopes: &[Envelope]) -> Self {
        let vouched = trust.judge(handler, digest, envelopes).map_err(|untrusted| untrusted.to_string());
        Self { handler: handler.to_owned(), digest, vouched, code: BTreeMap::new() }
    }

    /// The same, with a look at the code in the store that somebody trusted vouches for.
    async fn with_code(mut self, store: &Store, manifest: &[u8]) -> Result<Self, StoreError> {
        let Ok(vouched) = &self.vouched else { return Ok(self) };
        for engine in vouched.engines() {
            let code = match store.code(self.digest, engine).await {
                Ok(None) => Code::Missing,
                Ok(Some(bytes)) => vouched.code(engine, manifest, bytes).map_or(Code::Changed, |_| Code::Signed),
                Err(StoreError::Spoilt { .. }) => Code::Changed,
                Err(error) => return Err(error),
            };
            self.code.insert(engine.clone(), code);
        }
        Ok(self)
    }

    /// The engines of whose code this is so.
    fn engines(&self, wanted: Code) -> Vec<&EngineId> {
        self.code.iter().filter(|(_, code)| **code == wanted).map(|(engine, _)| engine).collect()
    }

    fn in_words(&self) -> String {
        let (handler, digest) = (printable(&self.handler), short(self.digest));
        match &self.vouched {
            Ok(vouched) => {
                let by = vouched.by.as_deref().unwrap_or_default();
                let code: Vec<_> = self.code.iter().map(|(engine, code)| code.in_words(engine)).collect();
                format!("{handler}: {digest} is signed by {by}{}", code.concat())
            }
            Err(problem) => format!("{handler}: {digest}: {}", printable(problem)),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "handler": self.handler,
            "artifact": self.digest,
            "signed_by": self.vouched.as_ref().ok().and_then(|vouched| vouched.by.as_deref()),
            "code_for": self.engines(Code::Signed),
            "code_missing_for": self.engines(Code::Missing),
            "code_changed_for": self.engines(Code::Changed),
            "problem": self.vouched.as_ref().err(),
        })
    }
}

impl Code {
    fn in_words(self, engine: &EngineId) -> String {
        match self {
            Self::Signed => format!(", with code for {engine}"),
            Self::Missing => format!("; its code for {engine} is missing, so hosts compile it"),
            Self::Changed => format!("; its code for {engine} is not what was signed, so hosts compile it"),
        }
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

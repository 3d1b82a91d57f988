use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgMatches};
use tidemill_host::artifact::{Artifact, Digest};
use tidemill_host::registry::Handler;
use tidemill_host::store::{Store, StoreError};
use tidemill_host::trust::{EngineId, Envelope, SecretKey, Statement};

use super::Desk;
use super::artifacts::Candidate;
use super::hosts::is_gone;
use crate::failure::Failure;
use crate::output::{printable, progress};

/// Where the key is said, where no flag says it.
const VARIABLE: &str = "TIDEMILL_SIGN_WITH";

/// An artifact, and what lies beside it in a store.
#[derive(Debug)]
pub(super) struct Stock {
    pub(super) artifact: Artifact,
    /// Who vouches for it, and for its code: by a signature that lay beside it, and by one that is made now.
    envelopes: Vec<Envelope>,
    /// What an engine has made of its component.
    code: Option<(EngineId, Vec<u8>)>,
}

/// How artifacts are signed.
pub(super) struct Signing {
    key: SecretKey,
    /// Whether their code goes with them.
    pub(super) compiled: bool,
}

/// The flag that names the key.
pub(super) fn key_flag() -> Arg {
    Arg::new("sign-with").long("sign-with").value_name("FILE").help(format!(
        "Secret key to sign with, as `tidemill keygen` writes it; the variable may hold the key itself [{VARIABLE}]"
    ))
}

/// The flag that has code compiled ahead of time.
pub(super) fn compile_flag() -> Arg {
    Arg::new("compile").long("compile").action(clap::ArgAction::SetTrue).help(
        "Compile for hosts of this version and this kind of processor, so that they needn't; it takes --sign-with",
    )
}

/// Reads the key that is to sign, if one is named.
pub(super) fn key(flags: &ArgMatches, variables: &[(String, String)]) -> Result<Option<SecretKey>, Failure> {
    let flag = flags.get_one::<String>("sign-with").map(|text| ("--sign-with", text));
    let variable = || {
        let set = variables.iter().find(|(name, value)| name == VARIABLE && !value.is_empty());
        set.map(|(_, text)| (VARIABLE, text))
    };
    let Some((place, named)) = flag.or_else(variable) else { return Ok(None) };
    // A key is no path, and must not be shown as one.
    if named.contains("-----BEGIN") {
        let key = SecretKey::from_pem(named);
        return key.map(Some).map_err(|error| Failure::misused(format!("{place}: {error}")));
    }
    let text = std::fs::read_to_string(named).with_context(|| format!("{place}: {named}: it can't be read"))?;
    let key = SecretKey::from_pem(&text);
    key.map(Some).map_err(|error| Failure::misused(format!("{place}: {named}: {error}")))
}

impl Signing {
    /// As the flags say; `None` where nobody signs.
    pub(super) fn of(flags: &ArgMatches, variables: &[(String, String)]) -> Result<Option<Self>, Failure> {
        let (key, compiled) = (key(flags, variables)?, flags.get_flag("compile"));
        match key {
            None if compiled => Err(Failure::misused(
                "--compile takes --sign-with: hosts load compiled code only where a key that they trust vouches for it",
            )),
            key => Ok(key.map(|key| Self { key, compiled })),
        }
    }

    /// Signs the artifact of this handler, which was loaded from it, and its code where that is asked for.
    pub(super) fn sign(&self, artifact: Artifact, handler: &Handler, engine: &EngineId) -> anyhow::Result<Stock> {
        let mut statement = Statement::of(&handler.name, &artifact);
        let mut code = None;
        if self.compiled {
            let native = handler.component.native_code();
            let native = native.map_err(|error| anyhow!("the code of {} can't be had: {error:#}", handler.name))?;
            statement = statement.with_code(engine.clone(), &native);
            code = Some((engine.clone(), native));
        }
        Ok(Stock { artifact, envelopes: vec![Envelope::sign(&statement, &self.key)?], code })
    }
}

/// Tells of hosts that can't load what was compiled for this engine.
pub(super) async fn tell_of_other_engines(desk: &Desk, engine: &EngineId) -> Result<(), StoreError> {
    for report in desk.store.reports().await? {
        if let Some(other) = report.engine.as_ref().filter(|other| *other != engine && !is_gone(&report, (desk.now)()))
        {
            progress(format_args!(
                "the host {} compiles it by itself: its engine is {other}, and what is compiled here is for {engine}",
                printable(&report.host)
            ));
        }
    }
    Ok(())
}

impl Stock {
    /// An artifact with the signature that lay beside it, if any, and another by the key, if any.
    pub(super) fn of(candidate: Candidate, signing: Option<&Signing>, engine: &EngineId) -> anyhow::Result<Self> {
        let Candidate { artifact, handler, envelope, path, .. } = candidate;
        if let Some(envelope) = &envelope {
            let statement = envelope.statement()?;
            if statement.artifact != artifact.digest() || statement.handler != handler.name {
                bail!(
                    "{}: handler.sig is for the handler {:?}, {}, and there lies {:?}, {}; sign it again with `tidemill \
                     sign`, or remove the file; nothing was deployed",
                    path.display(),
                    statement.handler,
                    statement.artifact,
                    handler.name,
                    artifact.digest()
                );
            }
        }
        let mut stock = match signing {
            Some(signing) => signing.sign(artifact, &handler, engine)?,
            None => Self { artifact, envelopes: Vec::new(), code: None },
        };
        stock.envelopes.extend(envelope);
        Ok(stock)
    }

    pub(super) fn digest(&self) -> Digest {
        self.artifact.digest()
    }

    /// Whether anything has to be put beside an artifact that is there.
    pub(super) fn is_signed(&self) -> bool {
        !self.envelopes.is_empty()
    }

    /// Puts it into the store: signatures last, so that who finds one finds what it covers. Says how many of them are
    /// new.
    pub(super) async fn put(&self, store: &Store, artifact_is_there: bool) -> Result<usize, StoreError> {
        if !artifact_is_there {
            store.put_artifact(&self.artifact).await?;
        }
        if let Some((engine, code)) = &self.code {
            store.put_code(self.digest(), engine, code.clone()).await?;
        }
        let mut new = 0;
        for envelope in &self.envelopes {
            new += usize::from(store.put_signature(self.digest(), envelope).await?);
        }
        Ok(new)
    }
}

//! `tidemill grants`: what each handler of a folder may do, with the settings that a host would be started with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Command};
use serde_json::{Value, json};
use tidemill_host::config::{Offers, Sources, Terms, with_flags};
use tidemill_host::registry::{Manifest, ManifestError};
use tidemill_host::runtime::Reuse;

use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags: those of `serve`, so that it can be asked with the very same line.
pub(crate) fn command() -> Command {
    with_flags(
        Command::new("grants")
            .about("What each handler may do: what its handler.toml asks for, where the operator's rules allow it")
            .arg(crate::output_flag()),
    )
    .after_help(
        "Takes the flags, variables and file of `serve`, of which it reads those that matter here; exit code 1 where a \
         handler asks for what it can't have, since a host would not load it.\n\n\
         Example: tidemill grants --handlers ./handlers --grant 'email-on-register http=https://api.resend.com'",
    )
}

/// Runs the command: exit code 0 where every handler may have what it asks for, else 1.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let sources = Sources::gather(flags, variables, Path::new("."));
    let (dir, terms, offers) = sources.terms().map_err(Failure::misused)?;
    let judged = judge_all(&dir, &terms, offers)?;
    let contested = contested(&judged);
    let strangers: Vec<_> = terms.grants.handlers().filter(|name| !judged.contains_key(*name)).collect();
    let refused = judged.values().any(Result::is_err) || !contested.is_empty() || !strangers.is_empty();
    if crate::wants_json(flags) {
        let shown = judged.iter().map(|(folder, judged)| match judged {
            Ok(manifest) => as_json(manifest, &terms),
            Err(error) => json!({ "handler": folder, "refused": problems(error) }),
        });
        say(json!({ "handlers": shown.collect::<Vec<_>>(), "contested": contested, "unknown_handlers": strangers }));
    } else {
        for (folder, judged) in &judged {
            match judged {
                Ok(manifest) => show(manifest, &terms),
                Err(error) => {
                    say(format_args!("{folder}: refused"));
                    problems(error).iter().for_each(|problem| say(format_args!("  {}", printable(problem))));
                }
            }
        }
        for (event_type, names) in &contested {
            let (event_type, names) = (printable(event_type), names.join(", "));
            say(format_args!(
                "{event_type}: none of {names} gets it; give one of them a rule, 'HANDLER events={event_type}'"
            ));
        }
        for name in strangers {
            say(format_args!("{name}: there is a rule for it, and no such handler; is it misspelt?"));
        }
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Each handler's manifest, judged as a host judges it, by the name of its folder.
fn judge_all(
    dir: &Path,
    terms: &Terms,
    offers: Offers,
) -> anyhow::Result<BTreeMap<String, Result<Manifest, ManifestError>>> {
    let mut judged = BTreeMap::new();
    for path in manifests(dir).with_context(|| format!("{}: it can't be read", dir.display()))? {
        let text = fs::read_to_string(&path).with_context(|| format!("{}: it can't be read", path.display()))?;
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let manifest = Manifest::parse(&text, &folder, terms).and_then(|manifest| manifest.offered(offers));
        judged.insert(folder, manifest);
    }
    Ok(judged)
}

/// The event types that several want and none gets at a host's start, with those that want it.
fn contested(judged: &BTreeMap<String, Result<Manifest, ManifestError>>) -> BTreeMap<String, Vec<String>> {
    let mut claims: BTreeMap<&str, Vec<&Manifest>> = BTreeMap::new();
    for manifest in judged.values().flatten() {
        let types: BTreeSet<_> = manifest.events.iter().map(String::as_str).collect();
        types.into_iter().for_each(|event_type| claims.entry(event_type).or_default().push(manifest));
    }
    let undecided =
        |claims: &Vec<&Manifest>| claims.len() > 1 && claims.iter().filter(|manifest| manifest.entitled).count() != 1;
    let contested = claims.into_iter().filter(|(_, claims)| undecided(claims));
    let named = |claims: Vec<&Manifest>| claims.iter().map(|manifest| manifest.name.clone()).collect();
    contested.map(|(event_type, claims)| (event_type.to_owned(), named(claims))).collect()
}

fn manifests(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path().join("handler.toml");
        if !entry.file_name().to_string_lossy().starts_with('.') && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn problems(error: &ManifestError) -> Vec<String> {
    match error {
        ManifestError::Fields(fields) => fields.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

/// What a handler has, by kind, in the words of its manifest.
fn granted(manifest: &Manifest) -> Vec<(&'static str, Vec<String>)> {
    let Manifest { events, deadline, grant, .. } = manifest;
    let limits = grant.limits;
    let cpu = limits.cpu.map_or("as the deadline".to_owned(), |cpu| format!("{cpu:?}"));
    vec![
        ("events", events.clone()),
        ("http", grant.http.iter().map(ToString::to_string).collect()),
        ("key-value", grant.key_value.iter().map(|space| space.store().to_owned()).collect()),
        ("publish", grant.publish.clone()),
        (
            "instances",
            match grant.reuse {
                Some(Reuse { events, max_age }) => vec![format!("reuse {events}"), format!("max-age {max_age:?}")],
                None => vec!["a fresh one for each event".to_owned()],
            },
        ),
        ("config", grant.config.keys().filter(|(_, secret)| !secret).map(|(key, _)| key.to_owned()).collect()),
        ("secrets", grant.config.keys().filter(|(_, secret)| *secret).map(|(key, _)| key.to_owned()).collect()),
        (
            "limits",
            vec![
                format!("deadline {deadline:?}"),
                format!("cpu {cpu}"),
                format!("memory {} KiB", limits.memory >> 10),
                format!("table-entries {}", limits.table_entries),
                format!("resources {}", limits.resources),
                format!("host-calls {}", limits.host_calls),
                format!("data {} KiB", limits.data >> 10),
                format!("log {} KiB", limits.log >> 10),
            ],
        ),
    ]
}

fn show(manifest: &Manifest, terms: &Terms) {
    say(format_args!("{}: may have what it asks for", manifest.name));
    for (kind, what) in granted(manifest) {
        let what = if what.is_empty() { "none".to_owned() } else { what.join(", ") };
        say(format_args!("  {kind:<10} {}", printable(&what)));
    }
    for warning in &manifest.warnings {
        say(format_args!("  {:<10} {}", "warning", printable(warning)));
    }
    let rules: Vec<_> = terms.grants.of(&manifest.name).rules().map(|rule| format!("'{rule}'")).collect();
    let rules = if rules.is_empty() { "none".to_owned() } else { rules.join(", ") };
    say(format_args!("  {:<10} {}", "rules", printable(&rules)));
}

fn as_json(manifest: &Manifest, terms: &Terms) -> Value {
    let Manifest { name, events, deadline, grant, warnings, .. } = manifest;
    let limits = grant.limits;
    let rules: Vec<_> = terms.grants.of(name).rules().map(ToString::to_string).collect();
    json!({
        "handler": name,
        "events": events,
        "http": grant.http.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "key_value": grant.key_value.iter().map(|space| space.store()).collect::<Vec<_>>(),
        "publish": grant.publish,
        "instances": {
            "reuse": grant.reuse.map_or(1, |reuse| reuse.events),
            "max_age_ms": grant.reuse.map(|reuse| u64::try_from(reuse.max_age.as_millis()).unwrap_or(u64::MAX)),
        },
        "config": grant.config.keys().filter(|(_, secret)| !secret).map(|(key, _)| key).collect::<Vec<_>>(),
        "secrets": grant.config.keys().filter(|(_, secret)| *secret).map(|(key, _)| key).collect::<Vec<_>>(),
        "warnings": warnings,
        "limits": {
            "deadline_ms": u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            "cpu_ms": limits.cpu.map(|cpu| u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX)),
            "memory_bytes": limits.memory,
            "table_entries": limits.table_entries,
            "resources": limits.resources,
            "host_calls": limits.host_calls,
            "data_bytes": limits.data,
            "log_bytes": limits.log,
        },
        "rules": rules,
    })
}

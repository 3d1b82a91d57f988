use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidemill_host::artifact::Digest;
use tidemill_host::store::{Canary, Served};

use super::share::Share;
use crate::output::printable;

/// How many hexadecimal digits of a digest people are shown: enough to tell a handler's artifacts apart.
const SHOWN: usize = 12;

/// What serves as one handler before and after, where that is not the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    handler: &'a str,
    before: Option<&'a Served>,
    after: Option<&'a Served>,
}

/// The handlers that differ, in the order of their names.
pub(super) fn changes<'a>(
    before: &'a BTreeMap<String, Served>,
    after: &'a BTreeMap<String, Served>,
) -> Vec<Change<'a>> {
    let handlers: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |handler: &'a String| Change { handler, before: before.get(handler), after: after.get(handler) };
    handlers.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

impl Change<'_> {
    /// In a line.
    pub(super) fn in_words(&self) -> String {
        let what = match (self.before, self.after) {
            (Some(before), Some(after)) => {
                let artifact = match (before.artifact, after.artifact) {
                    (before, after) if before == after => short(after),
                    (before, after) => format!("{} → {}", short(before), short(after)),
                };
                let canary = match (before.canary, after.canary) {
                    (before, after) if before == after => after.map(canary),
                    (Some(dropped), None) if dropped.artifact == after.artifact => None,
                    (Some(dropped), None) => Some(format!("no more canary {}", short(dropped.artifact))),
                    (Some(was), Some(is)) => Some(format!("{} → {}", canary(was), canary(is))),
                    (None, is) => is.map(|is| format!("new {}", canary(is))),
                };
                canary.map_or(artifact.clone(), |canary| format!("{artifact}, {canary}"))
            }
            (None, Some(after)) => format!("new: {}", served(after)),
            (Some(before), None) => format!("serves no more: {}", served(before)),
            (None, None) => String::new(),
        };
        format!("{}: {what}", printable(self.handler))
    }

    /// As data.
    pub(super) fn as_json(&self) -> Value {
        json!({ "handler": self.handler, "before": self.before.map(as_json), "after": self.after.map(as_json) })
    }
}

/// The first digits of a digest.
pub(super) fn short(digest: Digest) -> String {
    digest.hex().chars().take(SHOWN).collect()
}

/// What serves as a handler, in words.
pub(super) fn served(served: &Served) -> String {
    let canary = served.canary.map(|is| format!(", {}", canary(is))).unwrap_or_default();
    format!("{}{canary}", short(served.artifact))
}

/// What serves as a handler, as data.
pub(super) fn as_json(served: &Served) -> Value {
    let canary =
        served.canary.map(|canary| json!({ "artifact": canary.artifact, "per_ten_thousand": canary.per_ten_thousand }));
    json!({ "artifact": served.artifact, "canary": canary })
}

fn canary(canary: Canary) -> String {
    format!("canary {} on {}", short(canary.artifact), Share(canary.per_ten_thousand))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(artifact: char, canary: Option<(char, u16)>) -> Served {
        let digest = |digit: char| format!("sha256:{}", String::from(digit).repeat(64)).parse().unwrap();
        let canary = canary.map(|(artifact, per_ten_thousand)| Canary { artifact: digest(artifact), per_ten_thousand });
        Served { artifact: digest(artifact), canary }
    }

    #[test]
    fn a_change_says_what_was_and_what_is() {
        for (before, after, says) in [
            (Some(served('a', None)), Some(served('b', None)), "h: aaaaaaaaaaaa → bbbbbbbbbbbb"),
            (None, Some(served('a', None)), "h: new: aaaaaaaaaaaa"),
            (Some(served('a', None)), None, "h: serves no more: aaaaaaaaaaaa"),
            (
                Some(served('a', None)),
                Some(served('a', Some(('b', 500)))),
                "h: aaaaaaaaaaaa, new canary bbbbbbbbbbbb on 5%",
            ),
            (
                Some(served('a', Some(('b', 500)))),
                Some(served('a', Some(('b', 5000)))),
                "h: aaaaaaaaaaaa, canary bbbbbbbbbbbb on 5% → canary bbbbbbbbbbbb on 50%",
            ),
            (Some(served('a', Some(('b', 500)))), Some(served('b', None)), "h: aaaaaaaaaaaa → bbbbbbbbbbbb"),
            (
                Some(served('a', Some(('b', 500)))),
                Some(served('a', None)),
                "h: aaaaaaaaaaaa, no more canary bbbbbbbbbbbb",
            ),
        ] {
            let side = |served: Option<Served>| served.map(|served| ("h".to_owned(), served)).into_iter().collect();
            let (before, after) = (side(before), side(after));
            let changes: Vec<_> = changes(&before, &after).iter().map(Change::in_words).collect();
            assert_eq!(changes, [says]);
            assert_eq!(super::changes(&after, &after), []);
        }
    }
}

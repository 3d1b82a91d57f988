use super::prompter::Sent;
use super::seen::{Published, Seen, Standing};

/// How the run of a candidate stands beside that of what serves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same outcome and the same effects.
    Same,
    /// The same outcome, with other effects, another reason or another fault. Whether that is better, nobody can say here.
    Different,
    /// A better outcome.
    Better,
    /// A worse one. Beside nothing it is a fault: what a new handler answers is its author's to say.
    Worse,
}

/// The verdict, and in words what differs beside the outcome.
pub(super) fn compare(present: Option<&Seen>, candidate: &Seen) -> (Verdict, Vec<String>) {
    let Some(present) = present else {
        let verdict = match candidate.standing {
            Standing::Done => Verdict::Same,
            Standing::Rejected | Standing::Retried => Verdict::Different,
            Standing::Faulted | Standing::Unserved => Verdict::Worse,
        };
        return (verdict, Vec::new());
    };
    let differences = differences(present, candidate);
    let verdict = if candidate.standing > present.standing {
        Verdict::Worse
    } else if candidate.standing < present.standing {
        Verdict::Better
    } else if differences.is_empty() && candidate.code == present.code {
        Verdict::Same
    } else {
        Verdict::Different
    };
    (verdict, differences)
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Better => "better",
            Self::Worse => "worse",
        }
    }
}

fn differences(present: &Seen, candidate: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    // The text of a trap names functions, which are others in each build.
    if present.standing == candidate.standing && present.standing != Standing::Faulted {
        if present.reason != candidate.reason {
            found.push("its reason".to_owned());
        }
        if present.retry_after != candidate.retry_after {
            found.push("how long it wants to wait".to_owned());
        }
    }
    found.extend(listed("request", &present.sent, &candidate.sent, of_requests));
    found.extend(listed("publication", &present.published, &candidate.published, of_publications));
    if present.kept != candidate.kept {
        let mut entries = present.kept.iter().chain(&candidate.kept);
        let other = entries.find(|(key, _)| present.kept.get(*key) != candidate.kept.get(*key));
        found.extend(other.map(|((store, key), _)| format!("what it keeps in {store} under {key}")));
    }
    let refused = present.refusals.by_capability().into_iter().zip(candidate.refusals.by_capability());
    found.extend(
        refused
            .filter(|((_, before), (_, after))| before != after)
            .map(|((capability, before), (_, after))| format!("refused {capability}: {before} → {after}")),
    );
    found
}

/// What differs of two lists: how long they are, or else the first that is not the same.
fn listed<T: PartialEq>(what: &str, before: &[T], after: &[T], say: impl Fn(&T, &T) -> String) -> Option<String> {
    if before.len() != after.len() {
        return Some(format!("{what}s: {} → {}", before.len(), after.len()));
    }
    let mut pairs = before.iter().zip(after).zip(1..);
    pairs
        .find(|((before, after), _)| before != after)
        .map(|((before, after), number)| format!("{what} {number}: {}", say(before, after)))
}

fn of_requests(before: &Sent, after: &Sent) -> String {
    if (&before.method, &before.url) != (&after.method, &after.url) {
        return format!("{} {} → {} {}", before.method, before.url, after.method, after.url);
    }
    let what = if before.body != after.body { "body" } else { "headers" };
    format!("the {what} of {} {}", after.method, after.url)
}

fn of_publications(before: &Published, after: &Published) -> String {
    if before.event_type != after.event_type {
        return format!("{} → {}", before.event_type, after.event_type);
    }
    let what = if before.data != after.data {
        "data"
    } else if before.attributes != after.attributes {
        "attributes"
    } else if before.ordering_key != after.ordering_key {
        "ordering key"
    } else {
        "content type"
    };
    format!("the {what} of {}", after.event_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(standing: Standing, code: &'static str) -> Seen {
        Seen { standing, code, reason: String::new(), ..Seen::unserved() }
    }

    #[test]
    fn what_ends_worse_is_worse_whatever_it_sends() {
        let ends = [
            seen(Standing::Done, "done"),
            seen(Standing::Rejected, "reject"),
            seen(Standing::Retried, "retry"),
            seen(Standing::Faulted, "trap"),
            seen(Standing::Unserved, "unserved"),
        ];
        for (before, present) in ends.iter().enumerate() {
            for (after, candidate) in ends.iter().enumerate() {
                let expected = match after.cmp(&before) {
                    std::cmp::Ordering::Less => Verdict::Better,
                    std::cmp::Ordering::Equal => Verdict::Same,
                    std::cmp::Ordering::Greater => Verdict::Worse,
                };
                assert_eq!(compare(Some(present), candidate).0, expected, "{present:?} {candidate:?}");
            }
        }
        let [trap, deadline] = ["trap", "deadline"].map(|code| seen(Standing::Faulted, code));
        assert_eq!(compare(Some(&trap), &deadline).0, Verdict::Different);
    }

    #[test]
    fn beside_nothing_a_fault_is_worse_and_an_answer_is_not() {
        for (standing, verdict) in [
            (Standing::Done, Verdict::Same),
            (Standing::Rejected, Verdict::Different),
            (Standing::Retried, Verdict::Different),
            (Standing::Faulted, Verdict::Worse),
        ] {
            assert_eq!(compare(None, &seen(standing, "")).0, verdict);
        }
    }
}

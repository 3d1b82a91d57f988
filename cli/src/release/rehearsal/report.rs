use serde_json::{Value, json};

use super::compare::Verdict;
use super::seen::{Seen, Standing};
use super::table;
use crate::output::{printable, say};

/// Rows of the table, and names of a list, that are shown.
const SHOWN: usize = 20;
/// Characters of a reason that are shown.
const REASON: usize = 100;

/// What came of a rehearsal.
pub(in crate::release) struct Rehearsed {
    /// Where the events are from.
    pub(super) source: String,
    /// Whether there was anything to rehearse: not where all of it serves already.
    pub(super) new: bool,
    /// Whether it may be released whatever came of it.
    pub(super) force: bool,
    /// The runs, in the order of the events.
    pub(super) tried: Vec<Tried>,
    /// Events of other types.
    pub(super) passed_over: usize,
    /// What could not be read, and why.
    pub(super) unusable: Vec<(String, String)>,
    /// Whether there was more than was to be tried.
    pub(super) more: bool,
    /// Handlers that are not what serves already, and had no event.
    pub(super) untried: Vec<String>,
    /// Requests of the new that no recording answered.
    pub(super) stubbed: usize,
}

/// What came of one event.
pub(super) struct Tried {
    /// The file, or the message's id.
    pub(super) name: String,
    pub(super) event_type: String,
    pub(super) handler: String,
    pub(super) verdict: Verdict,
    /// In words, what differs beside the outcome.
    pub(super) differences: Vec<String>,
    /// The outcome with what serves now. `None`: nothing does.
    pub(super) now: Option<Standing>,
    /// The outcome with what is deployed.
    pub(super) then: Standing,
    /// Both in full, unless they are the same.
    pub(super) seen: Option<(Option<Seen>, Seen)>,
}

impl Rehearsed {
    /// Why the release is refused, if it is.
    pub(in crate::release) fn refusal(&self) -> Option<String> {
        // It helps where there are others, and none of them ends worse.
        let fine = !self.tried.is_empty() && self.count(Verdict::Worse) == 0;
        let alone = fine && !self.untried.is_empty();
        let alone = if alone { "deploy the others alone, or " } else { "" };
        self.objection()
            .filter(|_| !self.force)
            .map(|objection| format!("{objection}; nothing was released ({alone}--force releases it all the same)"))
    }

    /// What speaks against the release.
    fn objection(&self) -> Option<String> {
        if !self.new {
            return None;
        }
        if self.tried.is_empty() {
            let problem = match self.unusable.len() {
                0 => String::new(),
                count => format!(", and {count} could not be read"),
            };
            return Some(format!(
                "nothing was rehearsed: {} has no event of the types that the handlers serve{problem}",
                self.source
            ));
        }
        let worse = self.count(Verdict::Worse);
        let worse = (worse > 0).then(|| format!("{worse} of {} rehearsed events end worse than now", self.tried.len()));
        let untried = (!self.untried.is_empty())
            .then(|| format!("not rehearsed: {}, for which there was no event", self.untried.join(", ")));
        let objections: Vec<_> = worse.into_iter().chain(untried).collect();
        (!objections.is_empty()).then(|| objections.join("; "))
    }

    /// Prints what differs, worse things first, and how many are the same.
    pub(in crate::release) fn in_words(&self) {
        let source = printable(&self.source);
        if !self.new {
            return say("nothing to rehearse: all of it serves already");
        }
        let counts = [Verdict::Same, Verdict::Different, Verdict::Better, Verdict::Worse]
            .map(|verdict| format!("{} {}", self.count(verdict), verdict.word()));
        say(format_args!("rehearsed {} events of {source}: {}", self.tried.len(), counts.join(", ")));
        let mut differing: Vec<_> = self.tried.iter().filter(|tried| tried.seen.is_some()).collect();
        differing.sort_by_key(|tried| tried.verdict != Verdict::Worse);
        let rows: Vec<_> = differing.iter().take(SHOWN).map(|tried| tried.row()).collect();
        if !rows.is_empty() {
            table::print(["event", "type", "handler", "now", "then", "", "what differs"], &rows);
        }
        rest(differing.len(), "events that differ (--output json shows all)");
        if self.passed_over > 0 {
            say(format_args!("passed over {} events of other types", self.passed_over));
        }
        for (name, problem) in self.unusable.iter().take(SHOWN) {
            say(format_args!("no event: {}: {}", printable(name), printable(problem)));
        }
        rest(self.unusable.len(), "that hold no event");
        if self.more {
            say("stopped there: there is more, which --rehearse-max lets in");
        }
        for handler in &self.untried {
            say(format_args!("not rehearsed: {}, for which there was no event", printable(handler)));
        }
        if self.stubbed > 0 {
            say(format_args!("{} requests had no recorded answer, and got the stub's", self.stubbed));
        }
        if let Some(objection) = self.objection().filter(|_| self.force) {
            say(format_args!("{objection}; goes on all the same (--force)"));
        }
    }

    /// As data.
    pub(in crate::release) fn as_json(&self) -> Value {
        let unusable = self.unusable.iter().map(|(name, problem)| json!({ "event": name, "problem": problem }));
        json!({
            "source": self.source,
            "events": self.tried.len(),
            "same": self.count(Verdict::Same),
            "different": self.count(Verdict::Different),
            "better": self.count(Verdict::Better),
            "worse": self.count(Verdict::Worse),
            "passed_over": self.passed_over,
            "unusable": unusable.collect::<Vec<_>>(),
            "more": self.more,
            "untried_handlers": self.untried,
            "stubbed_requests": self.stubbed,
            "objection": self.objection(),
            "forced": self.force,
            "runs": self.tried.iter().map(Tried::as_json).collect::<Vec<_>>(),
        })
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.tried.iter().filter(|tried| tried.verdict == verdict).count()
    }
}

impl Tried {
    fn row(&self) -> [String; 7] {
        let outcome = |seen: &Seen| match seen.standing {
            Standing::Faulted => format!("fault ({})", seen.code),
            standing => standing.word().to_owned(),
        };
        let (now, then) = match &self.seen {
            Some((now, then)) => (now.as_ref().map_or("nothing".to_owned(), outcome), outcome(then)),
            None => (String::new(), String::new()),
        };
        let reason = self.seen.iter().map(|(_, then)| then.reason.chars().take(REASON).collect::<String>());
        let reason = reason.filter(|reason| !reason.is_empty());
        let what: Vec<_> = reason.chain(self.differences.iter().cloned()).collect();
        let verdict = self.verdict.word().to_owned();
        [self.name.clone(), self.event_type.clone(), self.handler.clone(), now, then, verdict, what.join("; ")]
    }

    fn as_json(&self) -> Value {
        let (now, then) = match &self.seen {
            Some((now, then)) => (now.as_ref().map(Seen::as_json), then.as_json()),
            None => (self.now.map(|now| json!({ "outcome": now.word() })), json!({ "outcome": self.then.word() })),
        };
        json!({
            "event": self.name,
            "event_type": self.event_type,
            "handler": self.handler,
            "verdict": self.verdict.word(),
            "differences": self.differences,
            // Null where nothing serves this event type now.
            "now": now,
            "then": then,
        })
    }
}

/// How many there are beside those that are shown.
fn rest(all: usize, what: &str) {
    if let Some(rest) = all.checked_sub(SHOWN).filter(|rest| *rest > 0) {
        say(format_args!("and {rest} more {what}"));
    }
}

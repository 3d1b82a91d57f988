//! What happens in the demo: each step is done for real, and told once its effect was seen.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::api::Api;
use super::dev::Dev;
use super::story::{Story, milliseconds};
use super::workshop::Workshop;
use crate::interrupt::Interrupt;

/// How long an event's effect may take. It takes milliseconds; the rest is for a machine that is busy with other things.
const EFFECT: Duration = Duration::from_secs(60);
/// How long building a handler again may take.
const REBUILD: Duration = Duration::from_secs(300);

/// The subject of the welcome mail as it stands in the handler's source, and what the demo makes of it.
const SUBJECT: (&str, &str) = ("Welcome!", "Welcome, swapped while running!");
const AUTHOR_DEVICE: &str = "device-of-ada";

/// Plays all steps, and fails at the first one whose effect doesn't show.
pub(super) fn play(
    story: &Story,
    interrupt: &Interrupt,
    dev: &mut Dev,
    api: &mut Api,
    workshop: &Workshop,
) -> Result<()> {
    let processes = (dev.pid(), api.pid());
    let stage = Stage { story, interrupt, dev, api };
    let ada = stage.register("ada@example.com", "Ada", Some(AUTHOR_DEVICE)).context("step: register a user")?;
    story.tell(&format!("first mail {} after the start of this command", story.so_far()));
    stage.change_name(&ada, "Ada Lovelace").context("step: change a name")?;
    stage.like(&ada).context("step: like a post")?;
    stage.swap(workshop).context("step: swap a handler while it runs")?;
    dev.check().and_then(|()| api.check()).context("step: no restart")?;
    story.tell(&format!("nothing was restarted: still processes {} and {}", processes.0, processes.1));
    Ok(())
}

/// Who plays.
struct Stage<'a> {
    story: &'a Story,
    interrupt: &'a Interrupt,
    dev: &'a Dev,
    api: &'a Api,
}

impl Stage<'_> {
    /// Registers a user, waits for the mail to her, and gives her id.
    fn register(&self, email: &str, name: &str, device: Option<&str>) -> Result<String> {
        self.registers(email, name, device, SUBJECT.0)
    }

    fn registers(&self, email: &str, name: &str, device: Option<&str>, subject: &str) -> Result<String> {
        self.story.chapter(&format!("{name} registers"));
        let start = Instant::now();
        let mut body = json!({ "email": email, "name": name });
        if let (Some(device), Some(fields)) = (device, body.as_object_mut()) {
            fields.insert("device_token".into(), device.into());
        }
        let id = id(&self.api.post(self.story, "/register", &body)?)?;
        self.effect("mail", "subject", email, subject, start)?;
        Ok(id)
    }

    /// Changes a name, and waits for what the handler has to say about it.
    fn change_name(&self, user: &str, name: &str) -> Result<()> {
        self.story.chapter("Ada changes her name");
        self.api.post(self.story, "/change-name", &json!({ "id": user, "name": name }))?;
        let line = self.interrupt.wait_for("the line of user-name-changed", EFFECT, || {
            Ok(self.dev.log_line(|line| {
                text(line, "handler") == "user-name-changed"
                    && text(line, "stream") == "stdout"
                    && text(line, "message").contains(user)
            }))
        })?;
        self.story.tell(&format!("the handler says: {}", text(&line, "message")));
        self.handled(text(&line, "event_id"))
    }

    /// Writes a post, has another user like it, and waits for the push to the author's device.
    fn like(&self, author: &str) -> Result<()> {
        let reader = self.register("grace@example.com", "Grace", None)?;
        self.story.chapter("Grace likes Ada's post");
        let body = json!({ "author_id": author, "title": "Notes on the Analytical Engine" });
        let post = id(&self.api.post(self.story, "/posts", &body)?)?;
        let start = Instant::now();
        self.api.post(self.story, &format!("/posts/{post}/like"), &json!({ "user_id": reader }))?;
        self.effect("push", "title", AUTHOR_DEVICE, "", start)
    }

    /// Changes the handler of the mail, waits until the change serves, and sees whether it does.
    fn swap(&self, workshop: &Workshop) -> Result<()> {
        self.story.chapter("A handler is swapped while it runs");
        let source = workshop.handlers().join("email-on-register/src/lib.rs");
        let start = Instant::now();
        let (before, after) = SUBJECT;
        workshop.edit(&source, &quoted(before), &quoted(after))?;
        self.story.tell(&format!("saved {}: subject {} becomes {}", shown(&source), quoted(before), quoted(after)));
        let line = self.interrupt.wait_for("the swap of email-on-register", REBUILD, || {
            Ok(self.dev.log_line(|line| {
                text(line, "handler") == "email-on-register" && text(line, "message") == "handler replaced"
            }))
        })?;
        let seconds = start.elapsed().as_secs_f64();
        self.story.tell(&format!("built, checked and live after {seconds:.1} s: {}", short(text(&line, "digest"))));
        self.registers("barbara@example.com", "Barbara", None, after).map(drop)
    }

    /// Waits until the sink has what was to be sent, and tells of it.
    fn effect(&self, kind: &str, title: &str, to: &str, expected: &str, start: Instant) -> Result<()> {
        let what = format!("a {kind} to {to} ({title} {expected:?})");
        let sent = self.interrupt.wait_for(&what, EFFECT, || {
            let sent = self.dev.sent()?.into_iter().find(|sent| {
                let body = sent.get("body").unwrap_or(&Value::Null);
                text(sent, "kind") == kind
                    && text(body, "to") == to
                    && (expected.is_empty() || text(body, title) == expected)
            });
            Ok(sent)
        })?;
        let after = milliseconds(start.elapsed());
        let body = sent.get("body").unwrap_or(&Value::Null);
        let content =
            [text(body, "text"), text(body, "body")].concat().split_whitespace().collect::<Vec<_>>().join(" ");
        self.story
            .tell(&format!("{kind} to {to} arrived, {after} after the request: {:?}, {content:?}", text(body, title)));
        self.handled(text(&sent, "idempotency_key"))
    }

    /// Tells which artifact handled an event.
    fn handled(&self, event: &str) -> Result<()> {
        let line = self.interrupt.wait_for(&format!("the end of the event {event}"), EFFECT, || {
            Ok(self.dev.log_line(|line| text(line, "event_id") == event && text(line, "outcome") == "done"))
        })?;
        let (handler, artifact) = (text(&line, "handler"), short(text(&line, "artifact")));
        let took = Duration::from_micros(line.get("run_us").and_then(Value::as_u64).unwrap_or_default());
        self.story.tell(&format!("  by {handler}@{artifact}, in a fresh instance, within {}", milliseconds(took)));
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn id(answer: &Value) -> Result<String> {
    answer.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer has no id")
}

fn quoted(subject: &str) -> String {
    format!("\"{subject}\"")
}

/// A digest's beginning, enough to tell versions apart by.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// A path below where the reader is.
fn shown(path: &Path) -> String {
    path.strip_prefix(crate::tools::root()).unwrap_or(path).display().to_string()
}

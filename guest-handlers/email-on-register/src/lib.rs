//! Sends the welcome mail to whoever has registered.
//!
//! The event's id is the idempotency key, so a mail that the provider has accepted is not sent again with the next
//! delivery of the same event.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_sdk::{Event, Failure, config, handler, http};

/// Below the deadline in handler.toml, so that a silent provider ends in a reason and not in a fault.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Registered {
    id: String,
    email: String,
    #[serde(default)]
    name: String,
}

#[derive(Serialize)]
struct Mail<'a> {
    from: &'a str,
    to: &'a str,
    subject: &'a str,
    text: &'a str,
}

#[handler]
async fn email_on_register(event: Event<Registered>) -> Result<(), Failure> {
    let user = &event.data;
    let to = address(&user.email)?;
    let mail = Mail { from: &config::get("from")?, to, subject: "Welcome!", text: &text(&user.name) };

    http::post(&config::get("mail-url")?)
        .bearer(&config::get("mail-key")?)
        .idempotency_key(&event.id)
        .timeout(TIMEOUT)
        .json(&mail)
        .send()
        .await?
        .ok()?;

    println!("the provider took the welcome mail for user {}", user.id);
    Ok(())
}

/// The address, where it looks like one and like no more than one.
///
/// Whether it is anybody's, the provider finds out. The reason doesn't repeat it: logs are no place for it.
fn address(email: &str) -> Result<&str, Failure> {
    let email = email.trim();
    let (name, domain) = email.rsplit_once('@').ok_or_else(|| Failure::reject("the address in `email` has no `@`"))?;
    if name.is_empty() || domain.is_empty() {
        return Err(Failure::reject("the address in `email` has nothing before or nothing behind its `@`"));
    }
    if email.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>')) {
        return Err(Failure::reject("`email` is more than one plain address"));
    }
    Ok(email)
}

fn text(name: &str) -> String {
    let greeting = match name.trim() {
        "" => "Hello,".to_owned(),
        name => format!("Hello {name},"),
    };
    format!("{greeting}\n\nwelcome! Your account is ready.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_without_blanks_around_it() {
        assert_eq!(address(" ada@example.com\n"), Ok("ada@example.com"));
    }

    #[test]
    fn what_is_no_single_address_is_rejected_and_not_repeated() {
        for email in ["", "ada", "ada@", "@example.com", "ada@example.com,eve@example.com", "Ada <ada@example.com>"] {
            let failure = address(email).unwrap_err();
            assert!(matches!(failure, Failure::Reject { .. }), "{email}: {failure}");
            assert!(!failure.reason().contains("ada"), "{failure}");
        }
    }

    #[test]
    fn who_gave_no_name_is_greeted_without() {
        assert!(text("Ada").starts_with("Hello Ada,"));
        assert!(text(" ").starts_with("Hello,"));
    }
}

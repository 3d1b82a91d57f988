//! Users: registering, and changing a name. Each change is committed together with its event.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;
use tidemill_events::Event;
use tidemill_publisher::new_event;
use uuid::Uuid;

use crate::DatabaseError;
use crate::outbox::{self, Position};
use crate::reply::Refusal;

/// Whom to register.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) email: String,
    pub(crate) name: String,
    /// Where push notifications to the user go, if anywhere.
    pub(crate) device_token: Option<String>,
}

/// Registers a user. Gives the new id, and where the event `user.registered` waits.
pub(crate) fn register(tx: &Transaction<'_>, user: &NewUser) -> Result<(String, Position), Refusal> {
    let id = Uuid::now_v7().to_string();
    let added = tx
        .execute(
            "INSERT INTO users (id, email, name, device_token) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (email) DO NOTHING",
            params![id, user.email, user.name, user.device_token],
        )
        .map_err(DatabaseError::Sqlite)?;
    if added == 0 {
        return Err(Refusal::EmailTaken);
    }
    let data = json!({ "id": id, "email": user.email, "name": user.name });
    let event = Event { ordering_key: Some(id.clone()), ..new_event("user.registered", &data) };
    let position = outbox::add(tx, &event)?;
    Ok((id, position))
}

/// Changes a user's name. Gives where the event `user.name.changed` waits, or none where the name is the same already.
pub(crate) fn change_name(tx: &Transaction<'_>, id: &str, name: &str) -> Result<Option<Position>, Refusal> {
    let current: Option<String> = tx
        .query_row("SELECT name FROM users WHERE id = ?1", [id], |row| row.get(0))
        .optional()
        .map_err(DatabaseError::Sqlite)?;
    match current {
        None => return Err(Refusal::NoUser(id.to_owned())),
        Some(current) if current == name => return Ok(None),
        Some(_) => {}
    }
    tx.execute("UPDATE users SET name = ?2 WHERE id = ?1", params![id, name]).map_err(DatabaseError::Sqlite)?;
    // The body is the name alone, as the handlers of this event expect; whose it is stands beside it. Both events of a
    // user have the user's id as their ordering key, so on an ordered subscription a change can't overtake the rest.
    let mut event = new_event("user.name.changed", &json!({ "Name": name }));
    event.attributes.insert("user-id".into(), id.to_owned());
    event.ordering_key = Some(id.to_owned());
    Ok(Some(outbox::add(tx, &event)?))
}

/// A user's name. Refuses where there is no such user.
pub(crate) fn name(tx: &Transaction<'_>, id: &str) -> Result<String, Refusal> {
    let found = tx
        .query_row("SELECT name FROM users WHERE id = ?1", [id], |row| row.get(0))
        .optional()
        .map_err(DatabaseError::Sqlite)?;
    found.ok_or_else(|| Refusal::NoUser(id.to_owned()))
}

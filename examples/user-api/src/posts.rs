//! Posts: writing one, and liking one.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;
use tidemill_publisher::new_event;
use uuid::Uuid;

use crate::DatabaseError;
use crate::outbox::{self, Position};
use crate::reply::Refusal;
use crate::users;

/// Adds a post and gives its id. Nothing slow follows from it, so there is no event.
pub(crate) fn add(tx: &Transaction<'_>, author_id: &str, title: &str) -> Result<String, Refusal> {
    users::name(tx, author_id)?;
    let id = Uuid::now_v7().to_string();
    tx.execute("INSERT INTO posts (id, author_id, title) VALUES (?1, ?2, ?3)", params![id, author_id, title])
        .map_err(DatabaseError::Sqlite)?;
    Ok(id)
}

/// Has a user like a post. Gives where the event `post.liked` waits.
///
/// There is none where the user likes the post already, or its author has no device that could be notified.
pub(crate) fn like(tx: &Transaction<'_>, post_id: &str, user_id: &str) -> Result<Option<Position>, Refusal> {
    let device_token: Option<String> = tx
        .query_row(
            "SELECT users.device_token FROM posts JOIN users ON users.id = posts.author_id WHERE posts.id = ?1",
            [post_id],
            |row| row.get(0),
        )
        .optional()
        .map_err(DatabaseError::Sqlite)?
        .ok_or_else(|| Refusal::NoPost(post_id.to_owned()))?;
    let liked_by = users::name(tx, user_id)?;
    let added = tx
        .execute(
            "INSERT INTO likes (post_id, user_id) VALUES (?1, ?2) ON CONFLICT (post_id, user_id) DO NOTHING",
            params![post_id, user_id],
        )
        .map_err(DatabaseError::Sqlite)?;
    let Some(device_token) = device_token.filter(|_| added == 1) else { return Ok(None) };
    let data = json!({ "post_id": post_id, "liked_by": liked_by, "device_token": device_token });
    Ok(Some(outbox::add(tx, &new_event("post.liked", &data))?))
}

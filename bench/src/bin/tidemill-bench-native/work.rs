//! The work of every contender: decode, verify, parse the user.

use serde::Deserialize;

use crate::envelope::Envelope;
use crate::signature::Key;

/// What every contender parses an event's data as.
#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing it is all the work there is")]
struct User {
    id: String,
    email: String,
    name: String,
    #[serde(default)]
    bio: String,
}

/// Handles the event in a push request's body, and gives the status to answer.
pub(crate) fn handle(body: &[u8], key: &Key) -> u16 {
    let Some((attributes, data)) = Envelope::decode(body) else { return 400 };
    if !key.verifies(&attributes, &data) {
        return 403;
    }
    match serde_json::from_slice::<User>(&data) {
        Ok(_) => 204,
        Err(_) => 422,
    }
}

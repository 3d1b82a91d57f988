//! Writes down that a user has a new name: one line, which the host logs with the event's id.

use serde::Deserialize;
use tidemill_sdk::{Event, Failure, handler};

#[derive(Deserialize)]
struct NameChanged {
    #[serde(rename = "Name")]
    name: String,
}

#[handler]
fn user_name_changed(event: Event<NameChanged>) -> Result<(), Failure> {
    let name = event.data.name.trim();
    if name.is_empty() {
        return Err(Failure::reject("`Name` is empty: nobody can be called that"));
    }
    let user = event.attributes.get("user-id").map_or("unknown", String::as_str);
    // Quoted and escaped, so that a name is one line whatever it holds.
    println!("user {user:?} is now called {name:?}");
    Ok(())
}

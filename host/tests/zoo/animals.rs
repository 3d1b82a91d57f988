//! What is in the zoo: each animal with what it may have, and how it must end.

use hyper::StatusCode;

use crate::scene::Urls;
use crate::{reach, usage};

/// A handler that means harm.
pub(crate) struct Animal {
    /// Its name, which is also the event type that it serves.
    pub(crate) name: &'static str,
    /// What it tries, for the page.
    pub(crate) tries: &'static str,
    /// The lines of its `[limits]`.
    pub(crate) limits: &'static str,
    /// The lines of its `[permissions]`.
    pub(crate) permissions: String,
    /// Its component.
    pub(crate) wasm: Vec<u8>,
    /// The data of the event that it does harm at.
    pub(crate) data: String,
    /// The code of its end.
    pub(crate) code: &'static str,
    /// What the log says of each of its events: words of some line.
    pub(crate) told: &'static [&'static str],
    /// What no line of the log says.
    pub(crate) untold: &'static [&'static str],
}

impl Animal {
    /// Its `handler.toml`.
    pub(crate) fn manifest(&self) -> String {
        let Self { name, limits, permissions, .. } = self;
        format!("events = [{name:?}]\n[limits]\n{limits}\n[permissions]\n{permissions}\n[config]\nkey = \"\"\n")
    }

    /// How it must end. Space that is used up is 507, time 504, all else that goes wrong in a guest 500.
    pub(crate) fn ends(&self) -> (StatusCode, &'static str) {
        let status = match self.code {
            "done" => StatusCode::NO_CONTENT,
            "retry" => StatusCode::SERVICE_UNAVAILABLE,
            "deadline" | "cpu" => StatusCode::GATEWAY_TIMEOUT,
            "trap" | "host-calls" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::INSUFFICIENT_STORAGE,
        };
        (status, self.code)
    }
}

/// All of them, with the servers that some of them talk to.
pub(crate) fn all(urls: &Urls) -> Vec<Animal> {
    let mut all = usage::animals();
    all.extend(reach::animals(urls));
    all
}

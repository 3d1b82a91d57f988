//! What all parts share: where the programs are, how much is measured, and who signs.

use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use crate::contender::{Contender, Handlers};
use crate::event::Factory;
use crate::handlers;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Rounds, in each of which every contender is measured once.
    pub(crate) rounds: usize,
    /// Small events that are measured, of each contender in each round.
    pub(crate) events: usize,
    /// Events before them.
    pub(crate) warm_up: usize,
    /// Starts of each kind.
    pub(crate) starts: usize,
    /// Most handlers and connections.
    pub(crate) most: usize,
}

impl Scale {
    /// What figures can be taken from.
    pub(crate) const FULL: Self = Self { rounds: 5, events: 50_000, warm_up: 5_000, starts: 11, most: 1000 };
    /// Only to see that everything works.
    pub(crate) const QUICK: Self = Self { rounds: 1, events: 300, warm_up: 50, starts: 2, most: 10 };

    /// Events of so many bytes that are measured: fewer of larger ones, since each takes the longer.
    pub(crate) fn events_of(&self, size: usize) -> usize {
        (self.events / (size / 4_000).max(1)).max(8)
    }

    /// Those before them.
    pub(crate) fn warm_up_of(&self, size: usize) -> usize {
        (self.warm_up / (size / 4_000).max(1)).max(8)
    }
}

/// One run of the bench.
pub(crate) struct Bench {
    /// The folder that the project's own programs are in.
    pub(crate) programs: PathBuf,
    /// The folder that peers are installed in.
    pub(crate) peers: PathBuf,
    /// Only contenders whose names begin with this, and `native`.
    pub(crate) only: Option<String>,
    /// How much is measured.
    pub(crate) scale: Scale,
    /// Who signs.
    pub(crate) factory: Factory,
    /// For folders and stores of handlers.
    pub(crate) scratch: TempDir,
}

impl Bench {
    /// The host with so many handlers, compiled ahead of time, and settings.
    ///
    /// # Errors
    /// Where the store that it is started with can't be made.
    pub(crate) fn host(&self, name: &str, count: usize, settings: &[&str]) -> Result<Contender> {
        Ok(Contender::host(name, &self.programs, self.in_store(count)?, settings))
    }

    /// A store with so many handlers, compiled ahead of time. One is made for each number, and serves all parts.
    ///
    /// # Errors
    /// Where it can't be made.
    pub(crate) fn in_store(&self, count: usize) -> Result<Handlers> {
        println!("compiling {count} ahead of time, where they aren't yet");
        handlers::in_store(&self.scratch.path().join(format!("store-{count}")), &self.programs, count)
    }

    /// A folder with so many handlers.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn in_folder(&self, count: usize) -> Result<Handlers> {
        handlers::in_folder(&self.scratch.path().join(format!("folder-{count}")), count)
    }

    /// A folder with one handler, whose instances handle so many events each.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn reusing(&self, events: u32) -> Result<Handlers> {
        handlers::reusing(&self.scratch.path().join("folder-reusing"), events)
    }

    /// Whether this contender is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name == "native" || self.only.as_ref().is_none_or(|only| name.starts_with(only.as_str()))
    }

    /// Numbers of handlers or connections, by tens, up to the most.
    pub(crate) fn by_tens(&self) -> Vec<usize> {
        [1, 10, 100, 1000].into_iter().filter(|number| *number <= self.scale.most).collect()
    }
}

//! The thread that owns the file: takes commands, runs those that wait as one transaction, answers after the commit.

use std::collections::HashSet;
use std::time::SystemTime;

use tidemill_events::Message;
use tokio::sync::{mpsc, oneshot};

use super::tables::Tables;
use super::{Leased, MessageId, Settlement, StoreError};

/// How many commands one transaction takes at most. More than are under way at a time gain nothing.
pub(super) const BATCH: usize = 256;

/// Where the answer to a command goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is asked for. See the methods of [`Store`](super::Store).
pub(super) enum Command {
    Publish { topic: String, messages: Vec<Message>, now: SystemTime, reply: Reply<Vec<MessageId>> },
    Lease { limit: usize, now: SystemTime, reply: Reply<Leased> },
    Settle { id: MessageId, settlement: Settlement, now: SystemTime, reply: Reply<()> },
    Pending { reply: Reply<u64> },
}

/// An answer that waits for the commit, whose failure takes its place.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

/// Runs commands until the last sender has gone.
pub(super) fn run(tables: Tables, mut queue: mpsc::Receiver<Command>) {
    let mut worker = Worker { tables, leased: HashSet::new() };
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(command) => batch.push(command),
                Err(_) => break,
            }
        }
        worker.run(batch);
    }
}

struct Worker {
    tables: Tables,
    /// The messages under way.
    leased: HashSet<MessageId>,
}

impl Worker {
    /// Runs a batch. It is committed whole, or else each of its commands is answered with the error.
    fn run(&mut self, batch: Vec<Command>) {
        let mut attempt = Attempt::default();
        let begun = self.tables.begin();
        let answers: Vec<Answer> = batch.into_iter().map(|command| self.execute(command, &mut attempt)).collect();
        let committed = match begun.err().or(attempt.failure) {
            None => self.tables.commit(),
            Some(error) => Err(error),
        };
        if committed.is_err() {
            self.tables.roll_back();
            // Nobody was told of these leases, so nobody would ever end them.
            for id in attempt.leased {
                self.leased.remove(&id);
            }
        }
        for answer in answers {
            answer(committed.clone());
        }
    }

    fn execute(&mut self, command: Command, attempt: &mut Attempt) -> Answer {
        match command {
            Command::Publish { topic, messages, now, reply } => {
                let ids = messages.iter().map(|message| self.tables.insert(&topic, message, now)).collect();
                attempt.answer(reply, ids)
            }
            Command::Lease { limit, now, reply } => {
                let due = self.tables.due(limit, now, &self.leased);
                for message in due.iter().flat_map(|due| &due.messages) {
                    self.leased.insert(message.id);
                    attempt.leased.push(message.id);
                }
                attempt.answer(reply, due)
            }
            Command::Settle { id, settlement, now, reply } => {
                // Whatever becomes of the transaction, nobody works on the message any more.
                self.leased.remove(&id);
                let settled = match settlement {
                    Settlement::Remove => self.tables.remove(id, now),
                    Settlement::Nack(due) => self.tables.nack(id, due),
                };
                attempt.answer(reply, settled)
            }
            Command::Pending { reply } => {
                let count = self.tables.count();
                attempt.answer(reply, count)
            }
        }
    }
}

/// What a batch has done so far that its failure would have to undo.
#[derive(Default)]
struct Attempt {
    failure: Option<StoreError>,
    leased: Vec<MessageId>,
}

impl Attempt {
    fn answer<T: 'static>(&mut self, reply: Reply<T>, outcome: Result<T, StoreError>) -> Answer {
        if let Err(error) = &outcome {
            self.failure.get_or_insert_with(|| error.clone());
        }
        // Who asked may have left: a publisher that hung up, for one. Its message is kept all the same.
        Box::new(move |committed| _ = reply.send(committed.and(outcome)))
    }
}

//! The events that were committed and are not known to be with the broker.
//!
//! An event's id and time are fixed in its row, so whatever is published again is the same event.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};
use tidemill_events::{Event, format_rfc3339, parse_rfc3339};

use crate::DatabaseError;

/// The place of an event in the outbox: events go out in this order. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(i64);

impl Position {
    /// Before every other.
    pub(crate) const START: Self = Self(0);
}

/// An event that waits to be published.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) event: Event,
}

/// Adds an event, in the transaction that makes the change which it tells of.
pub(crate) fn add(tx: &Transaction<'_>, event: &Event) -> Result<Position, DatabaseError> {
    tx.execute(
        "INSERT INTO outbox (event_id, event_type, time, content_type, ordering_key, attributes, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            event.id,
            event.event_type,
            format_rfc3339(event.time),
            event.content_type,
            event.ordering_key,
            serde_json::json!(event.attributes).to_string(),
            event.data,
        ],
    )?;
    Ok(Position(tx.last_insert_rowid()))
}

/// The first events after a position, in order, at most `limit`.
pub(crate) fn after(tx: &Transaction<'_>, position: Position, limit: u32) -> Result<Vec<Entry>, DatabaseError> {
    let mut statement = tx.prepare(
        "SELECT position, event_id, event_type, time, content_type, ordering_key, attributes, data
         FROM outbox WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    let entries = statement.query_map(params![position.0, limit], entry)?.collect::<Result<_, _>>()?;
    Ok(entries)
}

/// Deletes events that the broker has.
pub(crate) fn delete(tx: &Transaction<'_>, positions: &[Position]) -> Result<(), DatabaseError> {
    let mut statement = tx.prepare("DELETE FROM outbox WHERE position = ?1")?;
    for position in positions {
        statement.execute([position.0])?;
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let malformed = |column, error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error);
    let time: String = row.get(3)?;
    let attributes: String = row.get(6)?;
    let attributes: BTreeMap<String, String> =
        serde_json::from_str(&attributes).map_err(|error| malformed(6, error.into()))?;
    Ok(Entry {
        position: Position(row.get(0)?),
        event: Event {
            id: row.get(1)?,
            event_type: row.get(2)?,
            time: parse_rfc3339(&time).map_err(|error| malformed(3, error.into()))?,
            content_type: row.get(4)?,
            ordering_key: row.get(5)?,
            attributes,
            data: row.get(7)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use tidemill_publisher::new_event;

    use super::*;
    use crate::database::Database;

    #[tokio::test]
    async fn an_event_comes_out_as_it_went_in_until_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).await.unwrap();
        let event = |n: u8| Event {
            ordering_key: (n == 1).then(|| "user-7".into()),
            attributes: BTreeMap::from([("user-id".into(), format!("{n}"))]),
            data: vec![0, 159, n],
            ..new_event("tick", &serde_json::json!({}))
        };
        let events = [event(0), event(1), event(2)];

        let added = events.clone();
        let entries = database
            .transaction(move |tx| {
                added.iter().try_for_each(|event| add(tx, event).map(drop))?;
                after(tx, Position::START, 10)
            })
            .await
            .unwrap();
        assert_eq!(entries.iter().map(|e| e.event.clone()).collect::<Vec<_>>(), events);

        let (first, second) = (entries[0].position, entries[1].position);
        let rest = database
            .transaction(move |tx| {
                delete(tx, &[second])?;
                Ok::<_, DatabaseError>((after(tx, Position::START, 1)?, after(tx, first, 10)?))
            })
            .await
            .unwrap();
        assert_eq!(rest.0[0].event, events[0]);
        assert_eq!(rest.0.len(), 1);
        assert_eq!(rest.1.iter().map(|e| e.event.clone()).collect::<Vec<_>>(), events[2..]);
    }
}

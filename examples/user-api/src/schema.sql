CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    device_token TEXT
) STRICT;

CREATE TABLE IF NOT EXISTS posts (
    id TEXT PRIMARY KEY,
    author_id TEXT NOT NULL REFERENCES users (id),
    title TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS likes (
    post_id TEXT NOT NULL REFERENCES posts (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (post_id, user_id)
) STRICT;

-- Events that are not known to be with the broker, in the order in which their changes were committed.
-- AUTOINCREMENT: a position is never given twice, so "up to this position" keeps its meaning.
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    time TEXT NOT NULL,
    content_type TEXT,
    ordering_key TEXT,
    attributes TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

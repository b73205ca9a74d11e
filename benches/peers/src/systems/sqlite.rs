//! `SQLite`: a table of events in the order of the log, with an index of streams and versions.

use std::{ops::ControlFlow, path::Path};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    append::{Append, Stream},
    gathered::{Access, Writer},
    system::{Address, Answer, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::Versions,
};

const FACTS: Facts = Facts {
    kind: "SQL database",
    durable: "each commit",
    versions: "the adapter, in memory, looked up when a stream is first met; a unique index as well",
    index: "a unique index over stream and version",
    order: "as appended",
    settings: "journal_mode WAL, synchronous FULL, prepared statements, 256 MiB of cache, one connection \
               that writes (several would poll for the lock), another one that reads",
};

/// Every caller a transaction of its own.
pub(crate) const SQLITE: Peer = Peer {
    name: "sqlite",
    role: Role::System,
    open: |path| open(path, |writer| Ok(Access::locked(writer))),
    of_crate: "libsqlite3-sys",
    facts: FACTS,
};

/// Transactions of many callers.
pub(crate) const GATHERED: Peer = Peer {
    name: "sqlite+grouping",
    role: Role::Way("sqlite"),
    open: |path| open(path, Access::gathered),
    facts: Facts { durable: "each commit; grouped from outside", ..FACTS },
    ..SQLITE
};

struct Sqlite {
    access: Access<SqliteWriter>,
    reader: Mutex<Connection>,
}

fn open(
    path: &Path,
    access: impl FnOnce(SqliteWriter) -> Result<Access<SqliteWriter>, Failure>,
) -> Result<Box<dyn System>, Failure> {
    let file = path.join("events.sqlite");
    let connection = connect(&file)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS events (
             position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL,
             payload BLOB NOT NULL);
         CREATE UNIQUE INDEX IF NOT EXISTS by_stream ON events (stream, version);",
    )?;
    let reader = Mutex::new(connect(&file)?);
    let writer = SqliteWriter { connection, versions: Versions::default() };
    Ok(Box::new(Sqlite { access: access(writer)?, reader }))
}

fn connect(file: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -262_144)?;
    Ok(connection)
}

impl System for Sqlite {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(self.access.caller())
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let connection = self.reader.lock();
        let mut statement =
            connection.prepare_cached("SELECT payload FROM events ORDER BY position")?;
        show(statement.query([])?, visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let connection = self.reader.lock();
        let mut statement = connection
            .prepare_cached("SELECT payload FROM events WHERE stream = ? ORDER BY version")?;
        show(statement.query([stream.number])?, visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let connection = self.reader.lock();
        let mut statement =
            connection.prepare_cached("SELECT payload FROM events WHERE position = ?")?;
        show(statement.query([i64::try_from(address.position)?])?, visit)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.access.close()
    }
}

fn show(mut rows: rusqlite::Rows<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
    while let Some(row) = rows.next()? {
        if visit(row.get_ref(0)?.as_blob()?) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

struct SqliteWriter {
    connection: Connection,
    versions: Versions,
}

impl Writer for SqliteWriter {
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut answers = Vec::with_capacity(group.len());
        for append in group {
            let connection = &self.connection;
            let answer = self.versions.take(append, |stream| version(connection, stream))?;
            if answer == Answer::Committed {
                insert(connection, append)?;
            }
            answers.push(answer);
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(answers)
    }
}

fn insert(connection: &Connection, append: &Append) -> Result<(), Failure> {
    let mut statement = connection
        .prepare_cached("INSERT INTO events (stream, version, payload) VALUES (?, ?, ?)")?;
    for event in &append.events {
        let stream = append.stream_of(event).ok_or("an event has no stream")?;
        statement.execute(params![stream.number, i64::try_from(event.version)?, event.payload])?;
    }
    Ok(())
}

fn version(connection: &Connection, stream: u32) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT version FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1",
    )?;
    let version: Option<i64> = statement.query_row([stream], |row| row.get(0)).optional()?;
    Ok(u64::try_from(version.unwrap_or(0))?)
}

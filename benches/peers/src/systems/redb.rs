//! redb: a copy-on-write tree with a key for each stream and version.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{
    append::{Append, Stream},
    gathered::{Access, Writer},
    key,
    system::{Address, Answer, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::Versions,
};

const FACTS: Facts = Facts {
    kind: "key-value store, copy-on-write tree",
    durable: "each commit",
    versions: "the adapter, in memory, looked up when a stream is first met",
    index: "the keys: stream and version",
    order: "stream by stream",
    settings: "none",
};

/// A transaction for each append.
pub(crate) const REDB: Peer = Peer {
    name: "redb",
    role: Role::System,
    open: |path| open(path, |writer| Ok(Access::locked(writer))),
    of_crate: "redb",
    facts: FACTS,
};

/// A transaction for each group of appends.
pub(crate) const GATHERED: Peer = Peer {
    name: "redb+grouping",
    role: Role::Way("redb"),
    open: |path| open(path, Access::gathered),
    facts: Facts { durable: "each commit; grouped from outside", ..FACTS },
    ..REDB
};

const EVENTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("events");

struct Redb {
    access: Access<RedbWriter>,
    database: Arc<Database>,
}

fn open(
    path: &Path,
    access: impl FnOnce(RedbWriter) -> Result<Access<RedbWriter>, Failure>,
) -> Result<Box<dyn System>, Failure> {
    let database = Arc::new(Database::create(path.join("events.redb"))?);
    let transaction = database.begin_write()?;
    transaction.open_table(EVENTS)?;
    transaction.commit()?;
    let writer = RedbWriter { database: Arc::clone(&database), versions: Versions::default() };
    Ok(Box::new(Redb { access: access(writer)?, database }))
}

impl System for Redb {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(self.access.caller())
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let table = self.database.begin_read()?.open_table(EVENTS)?;
        show(table.iter()?, visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let table = self.database.begin_read()?.open_table(EVENTS)?;
        let [first, last] = [0, u64::MAX].map(|version| key::of(stream.number, version));
        show(table.range::<&[u8]>(&first[..]..=&last[..])?, visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let table = self.database.begin_read()?.open_table(EVENTS)?;
        let key = key::of(address.stream.number, address.version);
        if let Some(payload) = table.get(&key[..])? {
            let _ = visit(payload.value());
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.access.close()
    }
}

fn show(
    events: redb::Range<'_, &'static [u8], &'static [u8]>,
    visit: &mut Visit<'_>,
) -> Result<(), Failure> {
    for event in events {
        let (_, payload) = event?;
        if visit(payload.value()) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

struct RedbWriter {
    database: Arc<Database>,
    versions: Versions,
}

impl Writer for RedbWriter {
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
        let transaction = self.database.begin_write()?;
        let mut answers = Vec::with_capacity(group.len());
        let mut table = transaction.open_table(EVENTS)?;
        for append in group {
            let load = |stream| {
                let [first, last] = [0, u64::MAX].map(|version| key::of(stream, version));
                let last = table.range::<&[u8]>(&first[..]..=&last[..])?.next_back().transpose()?;
                key::version_of(stream, last.as_ref().map(|(key, _)| key.value()))
            };
            let answer = self.versions.take(append, load)?;
            if answer == Answer::Committed {
                for event in &append.events {
                    let stream = append.stream_of(event).ok_or("an event has no stream")?;
                    let key = key::of(stream.number, event.version);
                    table.insert(&key[..], &event.payload[..])?;
                }
            }
            answers.push(answer);
        }
        drop(table);
        transaction.commit()?;
        Ok(answers)
    }
}

//! fjall: a log-structured merge tree with a key for each stream and version.

use std::{ops::ControlFlow, path::Path};

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::{
    append::{Append, Stream},
    gathered::{Access, Writer},
    key,
    system::{Address, Answer, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::Versions,
};

const FACTS: Facts = Facts {
    kind: "key-value store, log-structured",
    durable: "each commit; commits take turns",
    versions: "the adapter, in memory, looked up when a stream is first met",
    index: "the keys: stream and version",
    order: "stream by stream",
    settings: "batches with PersistMode::SyncData; without compression: payloads cannot be compressed",
};

/// A batch for each append.
pub(crate) const FJALL: Peer = Peer {
    name: "fjall",
    role: Role::System,
    open: |path| open(path, |writer| Ok(Access::locked(writer))),
    of_crate: "fjall",
    facts: FACTS,
};

/// A batch for each group of appends.
pub(crate) const GATHERED: Peer = Peer {
    name: "fjall+grouping",
    role: Role::Way("fjall"),
    open: |path| open(path, Access::gathered),
    facts: Facts { durable: "each commit; grouped from outside", ..FACTS },
    ..FJALL
};

struct Fjall {
    // Before the database: it is to be dropped first.
    access: Access<FjallWriter>,
    events: Keyspace,
    _database: Database,
}

fn open(
    path: &Path,
    access: impl FnOnce(FjallWriter) -> Result<Access<FjallWriter>, Failure>,
) -> Result<Box<dyn System>, Failure> {
    let builder = Database::builder(path).journal_compression(CompressionType::None);
    let database = builder.open()?;
    let uncompressed = fjall::config::CompressionPolicy::disabled();
    let options =
        || KeyspaceCreateOptions::default().data_block_compression_policy(uncompressed.clone());
    let events = database.keyspace("events", options)?;
    let writer = FjallWriter {
        database: database.clone(),
        events: events.clone(),
        versions: Versions::default(),
    };
    Ok(Box::new(Fjall { access: access(writer)?, events, _database: database }))
}

impl System for Fjall {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(self.access.caller())
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        show(self.events.iter(), visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        show(self.events.prefix(key::prefix(stream.number)), visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        if let Some(payload) = self.events.get(key::of(address.stream.number, address.version))? {
            let _ = visit(&payload);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.access.close()
    }
}

fn show(events: impl Iterator<Item = fjall::Guard>, visit: &mut Visit<'_>) -> Result<(), Failure> {
    for event in events {
        if visit(&event.value()?) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

struct FjallWriter {
    database: Database,
    events: Keyspace,
    versions: Versions,
}

impl Writer for FjallWriter {
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut answers = Vec::with_capacity(group.len());
        for append in group {
            let answer = self.versions.take(append, |stream| version(&self.events, stream))?;
            if answer == Answer::Committed {
                for event in &append.events {
                    let stream = append.stream_of(event).ok_or("an event has no stream")?;
                    let key = key::of(stream.number, event.version);
                    batch.insert(&self.events, key, event.payload);
                }
            }
            answers.push(answer);
        }
        batch.commit()?;
        Ok(answers)
    }
}

fn version(events: &Keyspace, stream: u32) -> Result<u64, Failure> {
    let last = events.prefix(key::prefix(stream)).next_back();
    let last = last.map(fjall::Guard::key).transpose()?;
    key::version_of(stream, last.as_deref())
}

//! RocksDB: a log-structured merge tree with a key for each stream and version.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use rocksdb::{DB, DBCompressionType, Direction, IteratorMode, Options, WriteBatch, WriteOptions};

use crate::{
    append::{Append, Stream},
    key,
    system::{Address, Answer, Blocking, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::{StreamLocks, conflicts, lock_all},
};

/// As it is.
pub(crate) const ROCKSDB: Peer = Peer {
    name: "rocksdb",
    role: Role::System,
    open,
    of_crate: "librocksdb-sys",
    facts: Facts {
        kind: "key-value store, log-structured",
        durable: "each commit; groups commits itself",
        versions: "the adapter, in memory with a lock for each stream, looked up when a stream is first met",
        index: "the keys: stream and version",
        order: "stream by stream",
        settings: "synced writes; without compression: payloads cannot be compressed",
    },
};

struct RocksDb(Arc<Shared>);

struct Shared {
    database: DB,
    /// `None`: not looked up yet.
    versions: StreamLocks<Option<u64>>,
}

fn open(path: &Path) -> Result<Box<dyn System>, Failure> {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compression_type(DBCompressionType::None);
    let database = DB::open(&options, path)?;
    Ok(Box::new(RocksDb(Arc::new(Shared { database, versions: StreamLocks::default() }))))
}

impl System for RocksDb {
    fn caller(&self) -> Result<Caller, Failure> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(Caller::Thread(Box::new(OfCaller { shared: Arc::clone(&self.0), options })))
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_from(&[], &[], visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_from(&key::of(stream.number, 0), &key::prefix(stream.number), visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let key = key::of(address.stream.number, address.version);
        if let Some(payload) = self.0.database.get_pinned(key)? {
            let _ = visit(&payload);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

impl RocksDb {
    /// Reads from a key on, while keys begin with `prefix`. With the raw iterator: the other one
    /// copies every key and value.
    fn read_from(&self, from: &[u8], prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), Failure> {
        let mut events = self.0.database.raw_iterator();
        events.seek(from);
        while let Some((key, payload)) = events.item() {
            if !key.starts_with(prefix) || visit(payload) == ControlFlow::Break(()) {
                break;
            }
            events.next();
        }
        Ok(events.status()?)
    }
}

impl Shared {
    fn version(&self, stream: u32) -> Result<u64, Failure> {
        let from = key::of(stream, u64::MAX);
        let mut events = self.database.iterator(IteratorMode::From(&from, Direction::Reverse));
        let last = events.next().transpose()?;
        key::version_of(stream, last.as_ref().map(|(key, _)| &**key))
    }
}

struct OfCaller {
    shared: Arc<Shared>,
    options: WriteOptions,
}

impl Blocking for OfCaller {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let states = self.shared.versions.of_targets(append);
        let mut versions = lock_all(&states);
        let mut actual = Vec::with_capacity(versions.len());
        for (version, target) in versions.iter().zip(&append.targets) {
            let known = version.map_or_else(|| self.shared.version(target.stream.number), Ok);
            actual.push(known?);
        }
        let conflicts = conflicts(append, actual);
        if !conflicts.is_empty() {
            return Ok(Answer::Conflict(conflicts));
        }
        let mut batch = WriteBatch::default();
        for event in &append.events {
            let stream = append.stream_of(event).ok_or("an event has no stream")?;
            batch.put(key::of(stream.number, event.version), event.payload);
        }
        self.shared.database.write_opt(batch, &self.options)?;
        for event in &append.events {
            if let Some(version) = versions.get_mut(event.target) {
                **version = Some(event.version);
            }
        }
        Ok(Answer::Committed)
    }
}

//! LMDB: a mapped copy-on-write tree with a key for each stream and version.

use std::{ops::ControlFlow, path::Path};

use heed::{Database, Env, EnvOpenOptions, types::Bytes};

use crate::{
    append::{Append, Stream},
    gathered::{Access, Writer},
    key,
    system::{Address, Answer, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::Versions,
};

const FACTS: Facts = Facts {
    kind: "key-value store, mapped tree",
    durable: "each commit",
    versions: "the adapter, in memory, looked up when a stream is first met",
    index: "the keys: stream and version",
    order: "stream by stream",
    settings: "a map of 8 GiB",
};

/// A transaction for each append.
pub(crate) const LMDB: Peer = Peer {
    name: "lmdb",
    role: Role::System,
    open: |path| open(path, |writer| Ok(Access::locked(writer))),
    of_crate: "heed",
    facts: FACTS,
};

/// A transaction for each group of appends.
pub(crate) const GATHERED: Peer = Peer {
    name: "lmdb+grouping",
    role: Role::Way("lmdb"),
    open: |path| open(path, Access::gathered),
    facts: Facts { durable: "each commit; grouped from outside", ..FACTS },
    ..LMDB
};

/// More than any workload writes.
const MAP_BYTES: usize = 8 << 30;

type Events = Database<Bytes, Bytes>;

struct Lmdb {
    access: Access<LmdbWriter>,
    env: Env,
    events: Events,
}

fn open(
    path: &Path,
    access: impl FnOnce(LmdbWriter) -> Result<Access<LmdbWriter>, Failure>,
) -> Result<Box<dyn System>, Failure> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    // SAFETY: the directory is this program's own; nobody else changes the mapped file.
    #[expect(unsafe_code, reason = "the only way to open it")]
    let env = unsafe { options.open(path) }?;
    let mut transaction = env.write_txn()?;
    let events = env.create_database(&mut transaction, None)?;
    transaction.commit()?;
    let writer = LmdbWriter { env: env.clone(), events, versions: Versions::default() };
    Ok(Box::new(Lmdb { access: access(writer)?, env, events }))
}

impl System for Lmdb {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(self.access.caller())
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let transaction = self.env.read_txn()?;
        show(self.events.iter(&transaction)?, visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let transaction = self.env.read_txn()?;
        show(self.events.prefix_iter(&transaction, &key::prefix(stream.number))?, visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let transaction = self.env.read_txn()?;
        let key = key::of(address.stream.number, address.version);
        if let Some(payload) = self.events.get(&transaction, &key)? {
            let _ = visit(payload);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        let Self { access, env, .. } = *self;
        access.close()?;
        env.prepare_for_closing().wait();
        Ok(())
    }
}

fn show<'a>(
    events: impl Iterator<Item = heed::Result<(&'a [u8], &'a [u8])>>,
    visit: &mut Visit<'_>,
) -> Result<(), Failure> {
    for event in events {
        let (_, payload) = event?;
        if visit(payload) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

struct LmdbWriter {
    env: Env,
    events: Events,
    versions: Versions,
}

impl Writer for LmdbWriter {
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
        let mut transaction = self.env.write_txn()?;
        let mut answers = Vec::with_capacity(group.len());
        for append in group {
            let load = |stream| {
                let key = key::of(stream, u64::MAX);
                let last = self.events.get_lower_than_or_equal_to(&transaction, &key)?;
                key::version_of(stream, last.map(|(key, _)| key))
            };
            let answer = self.versions.take(append, load)?;
            if answer == Answer::Committed {
                for event in &append.events {
                    let stream = append.stream_of(event).ok_or("an event has no stream")?;
                    let key = key::of(stream.number, event.version);
                    self.events.put(&mut transaction, &key, &event.payload)?;
                }
            }
            answers.push(answer);
        }
        transaction.commit()?;
        Ok(answers)
    }
}

//! raft-engine: a log for many Raft groups. A group for each stream, an entry for each event; the
//! engine itself knows how far each group is.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use protobuf::descriptor::UninterpretedOption;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::{
    append::{Append, Stream},
    system::{Address, Answer, Blocking, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::{StreamLocks, conflicts, lock_all},
};

/// As it is.
pub(crate) const RAFT_ENGINE: Peer = Peer {
    name: "raft-engine",
    role: Role::System,
    open,
    of_crate: "raft-engine",
    facts: Facts {
        kind: "log for Raft groups",
        durable: "each commit; groups commits itself",
        versions: "the adapter: a lock for each stream, and the last index that the engine knows",
        index: "in memory, all of it",
        order: "stream by stream",
        settings: "without compression: payloads cannot be compressed",
    },
};

/// A message of protobuf itself that has a number and bytes, as an entry of Raft's own protocol
/// has: fields 4 and 7 instead of 3 and 4, the same bytes otherwise.
struct Message;

impl MessageExt for Message {
    type Entry = UninterpretedOption;

    fn index(entry: &Self::Entry) -> u64 {
        entry.get_positive_int_value()
    }
}

struct RaftEngine(Arc<Shared>);

struct Shared {
    engine: Engine,
    locks: StreamLocks<()>,
}

fn open(path: &Path) -> Result<Box<dyn System>, Failure> {
    let config = Config {
        dir: path.to_str().ok_or("the path is not UTF-8")?.to_owned(),
        batch_compression_threshold: ReadableSize(0),
        ..Config::default()
    };
    let shared = Shared { engine: Engine::open(config)?, locks: StreamLocks::default() };
    Ok(Box::new(RaftEngine(Arc::new(shared))))
}

impl System for RaftEngine {
    fn caller(&self) -> Result<Caller, Failure> {
        let caller = OfCaller { shared: Arc::clone(&self.0), batch: LogBatch::default() };
        Ok(Caller::Thread(Box::new(caller)))
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        for group in self.0.engine.raft_groups() {
            if self.read_group(group, visit)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_group(u64::from(stream.number), visit).map(drop)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let group = u64::from(address.stream.number);
        if let Some(entry) = self.0.engine.get_entry::<Message>(group, address.version)? {
            let _ = visit(entry.get_string_value());
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

impl RaftEngine {
    fn read_group(&self, group: u64, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, Failure> {
        let engine = &self.0.engine;
        let Some((first, last)) = engine.first_index(group).zip(engine.last_index(group)) else {
            return Ok(ControlFlow::Continue(()));
        };
        let mut entries = Vec::new();
        engine.fetch_entries_to::<Message>(group, first, last + 1, None, &mut entries)?;
        Ok(entries.iter().try_for_each(|entry| visit(entry.get_string_value())))
    }
}

struct OfCaller {
    shared: Arc<Shared>,
    batch: LogBatch,
}

impl Blocking for OfCaller {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let states = self.shared.locks.of_targets(append);
        let _guards = lock_all(&states);
        let engine = &self.shared.engine;
        let last = |stream: &Stream| engine.last_index(u64::from(stream.number)).unwrap_or(0);
        let actual = append.targets.iter().map(|target| last(&target.stream));
        let conflicts = conflicts(append, actual);
        if !conflicts.is_empty() {
            return Ok(Answer::Conflict(conflicts));
        }
        for (index, target) in append.targets.iter().enumerate() {
            let entries: Vec<UninterpretedOption> = append
                .events_of(index)
                .map(|event| {
                    let mut entry = UninterpretedOption::new();
                    entry.set_positive_int_value(event.version);
                    entry.set_string_value(event.payload.to_vec());
                    entry
                })
                .collect();
            self.batch.add_entries::<Message>(u64::from(target.stream.number), &entries)?;
        }
        // It leaves the batch empty.
        engine.write(&mut self.batch, true)?;
        Ok(Answer::Committed)
    }
}

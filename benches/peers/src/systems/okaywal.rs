//! okaywal: a write-ahead log. An entry for each append, a chunk for each event; which chunk is
//! which event is kept in memory and learnt again when the log is recovered.

use std::{
    fmt, fs, io,
    io::Read,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use annals_bench::wide;
use crossbeam_channel::{Sender, bounded};
use okaywal::{
    Configuration, Entry, EntryId, EntryWriter, LogManager, LogPosition, ReadChunkResult,
    SegmentReader, WriteAheadLog,
};
use parking_lot::MutexGuard;

use crate::{
    append::{Append, Conflict, Payload, Stream, stamped},
    gathered::{Access, Writer},
    system::{Address, Answer, Blocking, Caller, Facts, Failure, Peer, Role, System, Visit},
    versions::{StreamLocks, conflicts, lock_all},
};

const FACTS: Facts = Facts {
    kind: "write-ahead log",
    durable: "each commit; groups commits itself",
    versions: "the adapter, in memory",
    index: "the adapter's, in memory: 16 bytes an event, learnt again at opening",
    order: "as appended, by recovering the log",
    settings: "one file of 192 MiB, written with zeroes and synced before; never a checkpoint, which would \
               take the events away",
};

/// As it is.
pub(crate) const OKAYWAL: Peer = Peer {
    name: "okaywal",
    role: Role::System,
    open: |path| open(path, |_| Ok(None)),
    of_crate: "okaywal",
    facts: FACTS,
};

/// Entries of many callers' appends.
pub(crate) const GATHERED: Peer = Peer {
    name: "okaywal+grouping",
    role: Role::Way("okaywal"),
    open: |path| open(path, |log| Access::gathered(OneEntry(log)).map(Some)),
    facts: Facts { durable: "each commit; grouped from outside", ..FACTS },
    ..OKAYWAL
};

/// Large enough that no workload fills it: a log that grows file by file syncs slower.
const FILE_BYTES: u32 = 192 << 20;

/// Where each event of a stream is.
type Places = StreamLocks<Vec<LogPosition>>;

#[derive(Clone)]
struct Log {
    wal: WriteAheadLog,
    places: Arc<Places>,
}

struct Okaywal {
    path: PathBuf,
    log: Log,
    access: Option<Access<OneEntry>>,
}

fn open(
    path: &Path,
    access: impl FnOnce(Log) -> Result<Option<Access<OneEntry>>, Failure>,
) -> Result<Box<dyn System>, Failure> {
    let places = Arc::new(Places::default());
    let of_manager = Arc::clone(&places);
    let wal = recover(path, move |place, payload| {
        let (stream, _) = stamped(payload).ok_or_else(foreign)?;
        of_manager.of(stream).lock().push(place);
        Ok(())
    })?;
    // Otherwise the first commit would wait for all of the zeroes.
    for entry in fs::read_dir(path)? {
        fs::File::open(entry?.path())?.sync_all()?;
    }
    let log = Log { wal, places };
    Ok(Box::new(Okaywal { path: path.to_owned(), access: access(log.clone())?, log }))
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a chunk is no event")
}

/// Opens the log and shows every chunk of it.
fn recover(
    path: &Path,
    show: impl FnMut(LogPosition, &[u8]) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<WriteAheadLog> {
    Configuration::default_for(path)
        .preallocate_bytes(FILE_BYTES)
        .checkpoint_after_bytes(u64::MAX)
        .open(Manager(show))
}

struct Manager<F>(F);

impl<F> fmt::Debug for Manager<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manager")
    }
}

impl<F> LogManager for Manager<F>
where
    F: FnMut(LogPosition, &[u8]) -> io::Result<()> + Send + Sync + 'static,
{
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut chunks = Vec::new();
        loop {
            match entry.read_chunk()? {
                ReadChunkResult::Chunk(mut chunk) => {
                    let payload = chunk.read_all()?;
                    if !chunk.check_crc()? {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "a wrong checksum"));
                    }
                    chunks.push((chunk.log_position(), payload));
                }
                ReadChunkResult::EndOfEntry => break,
                ReadChunkResult::AbortedEntry => return Ok(()),
            }
        }
        chunks.iter().try_for_each(|(place, payload)| self.0(*place, payload))
    }

    fn checkpoint_to(
        &mut self,
        _last: EntryId,
        _entries: &mut SegmentReader,
        _wal: &WriteAheadLog,
    ) -> io::Result<()> {
        Err(io::Error::other("a checkpoint would take the events away"))
    }
}

impl System for Okaywal {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(match &self.access {
            Some(access) => access.caller(),
            None => Caller::Thread(Box::new(OwnEntry(self.log.clone()))),
        })
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let (sender, receiver) = bounded(4);
        let path = self.path.clone();
        let thread = thread::Builder::new().name("recover".into()).spawn(move || {
            let mut batch = Batch { sender, payloads: Vec::new() };
            recover(&path, move |_, payload| batch.add(payload)).map(drop)
        })?;
        for payload in receiver.iter().flatten() {
            if visit(&payload) == ControlFlow::Break(()) {
                drop(receiver);
                // It ends with an error, since nobody receives any more.
                return thread.join().map(drop).map_err(|_| "recovery panicked".into());
            }
        }
        Ok(thread.join().map_err(|_| "recovery panicked")??)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let places = self.log.places.of(stream.number).lock().clone();
        for place in places {
            if self.log.read(place, visit)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let index = usize::try_from(address.version)?.checked_sub(1);
        let places = self.log.places.of(address.stream.number);
        let place = index.and_then(|index| places.lock().get(index).copied());
        place.map_or(Ok(()), |place| self.log.read(place, visit).map(drop))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        if let Some(access) = self.access {
            access.close()?;
        }
        Ok(self.log.wal.shutdown()?)
    }
}

/// Payloads on their way from recovery to who reads.
struct Batch {
    sender: Sender<Vec<Payload>>,
    payloads: Vec<Payload>,
}

impl Batch {
    fn add(&mut self, payload: &[u8]) -> io::Result<()> {
        self.payloads.push(payload.try_into().map_err(|_| foreign())?);
        if self.payloads.len() < 1000 {
            return Ok(());
        }
        let full = std::mem::take(&mut self.payloads);
        self.sender.send(full).map_err(|_| io::Error::other("nobody reads"))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Nobody wants it if nobody receives.
        drop(self.sender.send(std::mem::take(&mut self.payloads)));
    }
}

impl Log {
    fn read(&self, place: LogPosition, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, Failure> {
        let mut chunk = self.wal.read_at(place)?;
        let mut payload = Vec::new();
        chunk.read_to_end(&mut payload)?;
        if chunk.crc_is_valid()? {
            return Ok(visit(&payload));
        }
        Err("a chunk has a wrong checksum".into())
    }

    /// Which streams of an append are not as expected.
    fn conflicts(append: &Append, places: &[Guard<'_>]) -> Vec<Conflict> {
        conflicts(append, places.iter().map(|places| wide(places.len())))
    }

    /// Writes an append's events into an entry.
    fn write(
        append: &Append,
        places: &mut [Guard<'_>],
        entry: &mut EntryWriter<'_>,
    ) -> Result<(), Failure> {
        for event in &append.events {
            let record = entry.write_chunk(&event.payload)?;
            let places = places.get_mut(event.target).ok_or("an event has no stream")?;
            places.push(record.position);
        }
        Ok(())
    }
}

/// The places of a stream, locked.
type Guard<'a> = MutexGuard<'a, Vec<LogPosition>>;

/// An entry for each append.
struct OwnEntry(Log);

impl Blocking for OwnEntry {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let states = self.0.places.of_targets(append);
        let mut places = lock_all(&states);
        let conflicts = Log::conflicts(append, &places);
        if !conflicts.is_empty() {
            return Ok(Answer::Conflict(conflicts));
        }
        let mut entry = self.0.wal.begin_entry()?;
        Log::write(append, &mut places, &mut entry)?;
        entry.commit()?;
        Ok(Answer::Committed)
    }
}

/// An entry for each group of appends.
struct OneEntry(Log);

impl Writer for OneEntry {
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
        let mut entry = self.0.wal.begin_entry()?;
        let mut answers = Vec::with_capacity(group.len());
        for append in group {
            let states = self.0.places.of_targets(append);
            let mut places = lock_all(&states);
            let conflicts = Log::conflicts(append, &places);
            if conflicts.is_empty() {
                Log::write(append, &mut places, &mut entry)?;
                answers.push(Answer::Committed);
            } else {
                answers.push(Answer::Conflict(conflicts));
            }
        }
        entry.commit()?;
        Ok(answers)
    }
}

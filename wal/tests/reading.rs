//! How a reader goes through a log: what it asks the system for, which frames it looks at, and which
//! it looks at once.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use annals_wal::{
    Access, Address, Directory, File, FrameView, Header, LockError, Log, LogOptions, Map, Memory,
    NewFrame, NotPushed, Pattern, Pushed, ReadError, ReadMode, Reader, Replay, SealedEnd,
    SyncPolicy, Threads, WriterLock, body_checksum,
};

/// How often files were read, and how many bytes.
type Reads = Arc<(AtomicU64, AtomicU64)>;

/// A directory in memory that counts.
#[derive(Debug, Default)]
struct Counted(Memory, Reads);

#[derive(Debug)]
struct CountedFile(Arc<dyn File>, Reads);

impl Counted {
    /// What was read since it was asked last: how often, and how many bytes.
    fn reads(&self) -> (u64, u64) {
        (self.1.0.swap(0, Relaxed), self.1.1.swap(0, Relaxed))
    }

    fn counted(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(CountedFile(file?, self.1.clone())))
    }
}

impl Directory for Counted {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        self.0.lock()
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.counted(self.0.create(name))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        self.counted(self.0.open(name, access))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn display(&self, name: &str) -> String {
        self.0.display(name)
    }
}

impl File for CountedFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read_at(offset, out)?;
        self.1.0.fetch_add(1, Relaxed);
        self.1.1.fetch_add(u64::try_from(count).unwrap(), Relaxed);
        Ok(count)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        self.0.map(len, access)
    }
}

fn options(read_mode: ReadMode) -> LogOptions {
    LogOptions { read_mode, threads: Threads::Inline, ..LogOptions::default() }
}

fn open(directory: Arc<dyn Directory>, options: LogOptions) -> Log {
    Log::open(directory, options, &mut ()).unwrap()
}

/// Pushes a frame of one record.
fn push(log: &Log, len: usize) -> Pushed {
    let body = vec![7; len];
    let body_checksum = body_checksum(&body);
    let frame = NewFrame { record_count: 1, time: 5, stamps: &[7], body: &body, body_checksum };
    loop {
        match log.push(&frame) {
            Ok(pushed) => return pushed,
            Err(NotPushed::NoRoomYet { capacity }) => log.make_room(capacity).unwrap(),
            Err(NotPushed::Failed(error)) => panic!("{error}"),
        }
    }
}

/// Pushes frames, and waits for them.
fn push_all(log: &Log, count: u64, len: usize) -> Vec<Address> {
    let pushed: Vec<_> = (0..count).map(|_| push(log, len)).collect();
    log.ticket().wait().unwrap();
    pushed.iter().map(|pushed| pushed.address).collect()
}

const KIB: u64 = 1 << 10;

/// A little more than a frame for who reads here and there, a quarter of a mebibyte for who reads on:
/// less takes more calls, more takes time for bytes that nobody wants.
#[test]
fn as_much_is_read_at_once_as_is_likely_wanted() {
    let directory = Arc::new(Counted::default());
    let log = open(directory.clone(), options(ReadMode::Pread));
    // 512 frames of 1 KiB, and one of 100 KiB among frames that are smaller.
    let small = push_all(&log, 512, 1024 - 56);
    let large = push_all(&log, 1, 100 << 10)[0];
    push_all(&log, 100, 1024 - 56);
    let frame = |reader: &mut Reader, address| {
        assert_eq!(reader.frame(address).unwrap().address, address);
        directory.reads()
    };
    directory.reads();
    let mut probe = log.reader(Pattern::Probe);
    assert_eq!(frame(&mut probe, small[100]), (1, 4 * KIB));
    assert_eq!(frame(&mut probe, small[103]), (0, 0), "within what was read");
    assert_eq!(frame(&mut probe, small[104]), (1, 4 * KIB));
    assert_eq!(
        frame(&mut probe, large),
        (2, 4 * KIB + (100 << 10) + 56),
        "its head, then the whole"
    );
    // Who looks for a record reads from a head to the next, and goes on in what it has.
    assert_eq!(probe.seek(100).unwrap(), small[99]);
    assert_eq!(directory.reads(), (1, 4 * KIB));
    assert_eq!(probe.seek(101).unwrap(), small[100]);
    assert_eq!(directory.reads(), (0, 0));
    let mut forward = log.reader(Pattern::Forward);
    let read: Vec<_> = small.iter().map(|address| frame(&mut forward, *address)).collect();
    assert_eq!(read[0], (1, 256 * KIB));
    assert_eq!(read[256], (1, 256 * KIB));
    assert_eq!(read.iter().map(|(calls, _)| calls).sum::<u64>(), 2);
    let mut backward = log.reader(Pattern::Backward);
    let read: Vec<_> = small.iter().rev().map(|address| frame(&mut backward, *address)).collect();
    // The head, with what is before it, and then the frame with what is before it.
    assert!(read.iter().map(|(calls, _)| calls).sum::<u64>() <= 6, "{read:?}");
    assert!(read.iter().all(|(calls, bytes)| *bytes <= 256 * KIB * calls));
    // Of the tail, nothing is read, and of mapped files neither.
    let pushed = push(&log, 64);
    assert_eq!(frame(&mut probe, pushed.address), (0, 0));
    log.close().unwrap();
    let log = open(directory.clone(), options(ReadMode::Map));
    directory.reads();
    assert_eq!(log.reader(Pattern::Probe).seek(400).unwrap(), small[399]);
    assert_eq!(frame(&mut log.reader(Pattern::Probe), large), (0, 0));
}

/// Changes a byte of the first segment's file, which an open log has mapped.
fn flip(memory: &Memory, offset: u64, bit: u8) {
    let file = memory.open("00000000000000000001.seg", Access::Write).unwrap();
    let mut bytes = [0];
    file.read_at(offset, &mut bytes).unwrap();
    file.write_at(offset, &[bytes[0] ^ 1 << bit]).unwrap();
}

/// Who looks for a record goes from head to head, and looks only at those on the way that it needs. If
/// one leads astray, that one is to blame, and not the place that it leads to.
#[test]
fn a_damaged_head_on_the_way_is_to_blame_if_it_leads_astray() {
    for read_mode in [ReadMode::Map, ReadMode::Pread] {
        let memory = Memory::default();
        let log = open(Arc::new(memory.clone()), options(read_mode));
        // Waypoints are at the first and at the 33rd.
        let places = push_all(&log, 40, 8);
        let seek = |record| match log.reader(Pattern::Probe).seek(record) {
            Ok(address) => Ok(address),
            Err(ReadError::Corrupt(found)) => Err(found.offset),
            Err(error) => panic!("{error}"),
        };
        let damaged = places[9].offset;
        let time = damaged + 24;
        flip(&memory, time, 0);
        assert_eq!(seek(30), Ok(places[29]), "it leads on");
        assert_eq!(seek(10), Err(damaged), "it is the one that was looked for");
        flip(&memory, time, 0);
        assert_eq!(seek(10), Ok(places[9]));
        // The body's length: to the middle of a frame, and behind the target.
        for (byte, bit) in [(8, 3), (9, 3)] {
            flip(&memory, damaged + byte, bit);
            assert_eq!(seek(30), Err(damaged), "{read_mode:?} {byte}");
            flip(&memory, damaged + byte, bit);
        }
        assert_eq!(seek(30), Ok(places[29]));
    }
}

/// What is not in its file yet is copied from the tail, in every segment that it is for.
#[test]
fn what_is_on_its_way_is_read_over_many_segments() {
    for (read_mode, pattern) in [
        (ReadMode::Map, Pattern::Probe),
        (ReadMode::Pread, Pattern::Forward),
        (ReadMode::Pread, Pattern::Backward),
    ] {
        let options = LogOptions { segment_bytes: 8 << 10, ..options(read_mode) };
        let log = open(Arc::new(Memory::default()), options);
        let pushed: Vec<_> = (1..=50).map(|n| push(&log, 8 * n)).collect();
        assert!(pushed[49].address.segment > 2 && log.durable() == 0);
        let mut reader = log.reader(pattern);
        for (n, pushed) in (1..).zip(&pushed) {
            let record = pushed.first_record;
            assert_eq!(reader.seek(record).unwrap(), pushed.address, "{record}");
            assert_eq!(reader.frame(pushed.address).unwrap().body, vec![7; 8 * n]);
        }
        // The first that nobody waits for any more has all of them written.
        drop(pushed);
        assert_eq!(log.durable(), 50);
    }
}

/// Without syncs a frame is in its file when it has its place: no group, nobody to wait for. In memory
/// as on a disk that overwrites in place.
#[test]
fn what_is_written_through_the_mapping_is_seen_at_once() {
    let memory = Memory::default();
    let options = LogOptions { sync_policy: SyncPolicy::Never, ..options(ReadMode::Map) };
    let log = open(Arc::new(memory), options);
    for n in 1..=100 {
        let pushed = push(&log, 40);
        assert_eq!(log.durable(), n);
        assert_eq!(log.reader(Pattern::Probe).frame(pushed.address).unwrap().body, [7; 40]);
    }
    assert_eq!(log.stats().groups, 0);
}

/// Knows how every sealed segment ends, so that none is read.
struct Knowing(Vec<SealedEnd>);

impl Replay for Knowing {
    fn sealed_end(&mut self, header: &Header) -> Option<SealedEnd> {
        self.0.get(usize::try_from(header.segment).unwrap() - 1).copied()
    }
    fn sealed(&mut self, _: &Header) -> Result<(), String> {
        Ok(())
    }
    fn commit(&mut self, _: &FrameView<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// A segment whose index was there at opening was not read: who walks through it leaves waypoints,
/// so that the next one has less to walk.
#[test]
fn who_walks_leaves_waypoints() {
    let directory: Arc<dyn Directory> = Arc::new(Memory::default());
    let options = LogOptions { segment_bytes: 256 << 10, ..options(ReadMode::Map) };
    let log = open(directory.clone(), options.clone());
    let places = push_all(&log, 1_100, 1024 - 56);
    let ends = (1..5).map(|segment| log.sealed_end(segment).unwrap().unwrap()).collect();
    log.close().unwrap();
    let log = Log::open(directory, options, &mut Knowing(ends)).unwrap();
    let mut reader = log.reader(Pattern::Probe);
    let noted = || log.stats().waypoint_bytes;
    let before = noted();
    assert_eq!(reader.seek(1).unwrap(), places[0]);
    // One, where a vector has room for four.
    assert_eq!(noted(), before + 4 * 8);
    let last = places.iter().rposition(|place| place.segment == 1).unwrap();
    for _ in 0..2 {
        assert_eq!(reader.seek(u64::try_from(last).unwrap() + 1).unwrap(), places[last]);
        // Every other frame, where a vector has room for 128.
        assert_eq!(noted(), before + 128 * 8);
    }
}

//! The log as its owner uses it: what was pushed comes back, in order, also after opening again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{sync::Arc, thread};

use annals_wal::{
    Access, Address, Corruption, Directory, Disk, FrameKind, FrameView, Header, Log, LogOptions,
    Memory, NewFrame, NotPushed, OpenError, Pattern, PushError, Pushed, ReadError, ReadMode,
    Replay, SealedEnd, SyncPolicy, Threads, body_checksum,
};

/// What was replayed: first record and body of each commit.
#[derive(Debug, Default)]
struct Seen(Vec<(u64, Vec<u8>)>);

impl Replay for Seen {
    fn sealed_end(&mut self, _: &Header) -> Option<SealedEnd> {
        None
    }
    fn sealed(&mut self, _: &Header) -> Result<(), String> {
        panic!("no segment is known from elsewhere")
    }
    fn commit(&mut self, frame: &FrameView<'_>) -> Result<(), String> {
        self.0.push((frame.head.first_record, frame.body.to_vec()));
        Ok(())
    }
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: 8 << 10, ..LogOptions::default() }
}

fn open(directory: &Arc<dyn Directory>, options: LogOptions) -> (Log, Seen) {
    let mut seen = Seen::default();
    (Log::open(directory.clone(), options, &mut seen).unwrap(), seen)
}

fn body(n: u64) -> Vec<u8> {
    let len = 8 * usize::try_from(1 + n % 40).unwrap();
    n.to_le_bytes().into_iter().cycle().take(len).collect()
}

fn push(log: &Log, body: &[u8]) -> Pushed {
    let frame = NewFrame {
        record_count: 1,
        time: 5,
        stamps: &[7],
        body,
        body_checksum: body_checksum(body),
    };
    push_frame(log, &frame)
}

fn push_frame(log: &Log, frame: &NewFrame<'_>) -> Pushed {
    loop {
        match log.push(frame) {
            Ok(pushed) => return pushed,
            Err(NotPushed::NoRoomYet { capacity }) => log.make_room(capacity).unwrap(),
            Err(NotPushed::Failed(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn what_was_pushed_comes_back_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    for (directory, read_mode) in [(&disk, ReadMode::Map), (&memory, ReadMode::Map)] {
        let options = LogOptions { read_mode, ..options() };
        let (log, _) = open(directory, options.clone());
        let mut addresses = Vec::new();
        for n in 1..=300 {
            let pushed = push(&log, &body(n));
            assert_eq!(pushed.first_record, n);
            addresses.push(pushed.address);
            if n % 3 == 0 {
                pushed.ticket.wait().unwrap();
                assert_eq!(log.durable(), n);
            }
        }
        check_reads(&log, &addresses);
        log.close().unwrap();
        drop(log);
        for read_mode in [ReadMode::Map, ReadMode::Pread] {
            let (log, seen) = open(directory, LogOptions { read_mode, ..options.clone() });
            assert_eq!(seen.0, (1..=300).map(|n| (n, body(n))).collect::<Vec<_>>());
            assert!(log.stats().segments > 3);
            assert_eq!(log.torn_tail(), None);
            check_reads(&log, &addresses);
        }
    }
}

fn check_reads(log: &Log, addresses: &[Address]) {
    for pattern in [Pattern::Probe, Pattern::Forward, Pattern::Backward] {
        let mut reader = log.reader(pattern);
        for n in (1..=300_u64).rev() {
            let index = usize::try_from(n).unwrap() - 1;
            assert_eq!(reader.seek(n).unwrap(), addresses[index]);
            assert_eq!(reader.frame(addresses[index]).unwrap().body, body(n));
        }
        let (mut address, mut found) = (reader.seek(1).unwrap(), Vec::new());
        while found.len() < 300 {
            let head = reader.frame(address).unwrap().head;
            if head.kind == FrameKind::Commit {
                found.push(head.first_record);
            }
            address = head.next(address);
        }
        assert_eq!(found, (1..=300).collect::<Vec<_>>());
        let (mut address, mut found) = (Some(reader.seek(300).unwrap()), Vec::new());
        while let Some(at) = address {
            let head = reader.frame(at).unwrap().head;
            if head.kind == FrameKind::Commit {
                found.push(head.first_record);
            }
            address = reader.before(at, &head).unwrap();
        }
        assert_eq!(found, (1..=300).rev().collect::<Vec<_>>());
        // As many as lie together are read at once.
        let (mut address, mut found) = (reader.seek(1).unwrap(), Vec::new());
        while found.len() < 300 {
            let stretch = reader.stretch(address).unwrap();
            assert!(stretch.frame(address.offset).is_some(), "{address:?} was asked for");
            while found.len() < 300
                && let Some(frame) = stretch.frame(address.offset)
            {
                if frame.head.kind == FrameKind::Commit {
                    found.push(frame.head.first_record);
                    assert_eq!(frame.body, body(frame.head.first_record));
                }
                address = frame.head.next(address);
                if frame.head.kind == FrameKind::Seal {
                    break;
                }
            }
        }
        assert_eq!(found, (1..=300).collect::<Vec<_>>());
    }
}

#[test]
fn many_threads_push_and_wait() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let (log, _) = open(&disk, LogOptions { segment_bytes: 64 << 10, ..options() });
    thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..200 {
                    let pushed = push(log, &body(thread * 1000 + n));
                    let record = pushed.first_record;
                    match n % 3 {
                        0 => drop(pushed.ticket),
                        _ => pushed.ticket.wait().unwrap(),
                    }
                    if n % 3 == 1 {
                        assert!(log.durable() >= record);
                    }
                }
            });
        }
    });
    log.wait(1600).unwrap();
    log.close().unwrap();
    assert!(matches!(
        log.push(&NewFrame {
            record_count: 1,
            time: 0,
            stamps: &[1],
            body: &[0; 8],
            body_checksum: 0,
        }),
        Err(NotPushed::Failed(_))
    ));
    drop(log);
    let (_, seen) = open(&disk, options());
    assert_eq!(seen.0.len(), 1600);
}

#[test]
fn a_frame_larger_than_a_segment_gets_one_of_its_own() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let (log, _) = open(&memory, options());
    let large = vec![9; 100 << 10];
    push(&log, &body(1)).ticket.wait().unwrap();
    let pushed = push(&log, &large);
    let address = pushed.address;
    pushed.ticket.wait().unwrap();
    push(&log, &body(2)).ticket.wait().unwrap();
    assert_eq!(log.reader(Pattern::Probe).frame(address).unwrap().body, large);
    log.close().unwrap();
    drop(log);
    let (_, seen) = open(&memory, options());
    assert_eq!(seen.0.iter().map(|(_, body)| body.len()).collect::<Vec<_>>(), [16, 100 << 10, 24]);
}

/// A log once ended where the process had as many files open as it may: every segment kept its
/// file. Sealed segments that are mapped do without.
#[test]
fn sealed_segments_hold_no_files() {
    let dir = tempfile::tempdir().unwrap();
    // Other tests of this process have files, too.
    let is_here = |file: &std::path::PathBuf| file.starts_with(dir.path());
    let files = || {
        let all = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        all.filter_map(|file| std::fs::read_link(file.path()).ok()).filter(is_here).count()
    };
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let (log, _) = open(&disk, options());
    for n in 1..=2000 {
        drop(push(&log, &body(n)));
    }
    log.wait(2000).unwrap();
    assert!(log.stats().segments > 60);
    assert!(files() < 10, "{} files", files());
    drop(log);
    let (log, seen) = open(&disk, options());
    assert!(files() < 10, "{} files", files());
    assert_eq!(seen.0.len(), 2000);
    check_reads(
        &log,
        &(1..=300).map(|n| log.reader(Pattern::Probe).seek(n).unwrap()).collect::<Vec<_>>()[..],
    );
}

/// A reader that had looked at a frame on its way to the file kept the copy, whose head was not
/// finished yet, and later took it for the file's: a sound frame was reported as damaged.
#[test]
fn a_frame_that_was_read_on_its_way_is_read_again_from_its_file() {
    for read_mode in [ReadMode::Map, ReadMode::Pread] {
        let memory: Arc<dyn Directory> = Arc::new(Memory::default());
        let (log, _) = open(&memory, LogOptions { read_mode, ..options() });
        let pushed = push(&log, &body(5));
        let mut reader = log.reader(Pattern::Probe);
        reader.frame(pushed.address).unwrap();
        pushed.ticket.wait().unwrap();
        assert_eq!(reader.frame(pushed.address).unwrap().body, body(5));
    }
}

/// A long log does not fill the memory with where its frames begin, and every frame is found.
#[test]
fn segments_long_past_keep_few_waypoints() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let (log, _) = open(&memory, LogOptions { segment_bytes: 256 << 10, ..options() });
    let mut addresses = Vec::new();
    let mut bytes_at = |segments: u64| {
        while log.stats().segments < segments {
            let pushed = push(&log, &body(39));
            addresses.push(pushed.address);
            pushed.ticket.wait().unwrap();
        }
        log.stats().waypoint_bytes
    };
    let (few, many) = (bytes_at(25), bytes_at(65));
    // 128 in each of 16 segments, of 8 bytes.
    assert!(few >= 16 * 128 * 8, "{few} bytes for 25 segments");
    assert!(many <= few + 40 * 8 * 8, "{few} bytes for 25 segments, {many} for 65");
    for pattern in [Pattern::Probe, Pattern::Forward, Pattern::Backward] {
        let mut reader = log.reader(pattern);
        for (n, address) in (1..).zip(&addresses) {
            assert_eq!(reader.seek(n).unwrap(), *address);
        }
    }
}

/// Without syncs a frame is seen as soon as it is in its file, and none before.
#[test]
fn what_can_be_seen_is_what_was_pushed() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let (log, _) = open(&disk, LogOptions { sync_policy: SyncPolicy::Never, ..options() });
    for n in 1..=100 {
        let pushed = push(&log, &body(n));
        assert!(log.durable() <= n);
        pushed.ticket.wait().unwrap();
        assert_eq!(log.durable(), n);
    }
}

/// Who does not wait for what was pushed, nor closes the log, still has it written, and
/// the log free for the next one.
#[test]
fn a_log_that_is_dropped_is_closed() {
    let directory: Arc<dyn Directory> = Arc::new(Memory::default());
    let (log, _) = open(&directory, options());
    (1..=3).for_each(|n| drop(push(&log, &body(n))));
    assert!(!log.is_closed());
    drop(log);
    drop(directory.lock().unwrap());
    let (_log, seen) = open(&directory, options());
    assert_eq!(seen.0, [1, 2, 3].map(|n| (n, body(n))));
}

/// A log that grows takes as much room again each time, and the frames of each segment end where it
/// does, however many stamps they have.
#[test]
fn segments_grow_and_nothing_is_written_behind_their_ends() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let options = LogOptions { segment_bytes: 3 << 20, ..options() };
    let (log, _) = open(&memory, options.clone());
    let stamps = [9; 600];
    for n in 1..=1_500 {
        let body = &body(n);
        let body_checksum = body_checksum(body);
        let frame = NewFrame { record_count: 1, time: 5, stamps: &stamps, body, body_checksum };
        push_frame(&log, &frame).ticket.wait().unwrap();
    }
    drop(log);
    let mut names = memory.names().unwrap();
    names.sort_unstable();
    let size = |name: &String| memory.open(name, Access::Read).unwrap().size().unwrap() >> 20;
    assert_eq!(names.iter().map(size).collect::<Vec<_>>(), [1, 2, 3, 3]);
    assert_eq!(open(&memory, options).1.0.len(), 1_500);
}

/// A small log takes no room for a segment that it may never need.
#[test]
fn the_next_segment_is_prepared_when_half_of_this_one_is_full() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let threads = Threads::Inline;
    let (log, _) = open(&memory, LogOptions { segment_bytes: 8 << 20, threads, ..options() });
    let body = vec![1; 64 << 10];
    for n in 1..=14 {
        push(&log, &body).ticket.wait().unwrap();
        let is_half_full = n >= 8;
        let prepared = memory.names().unwrap().into_iter().filter(|n| n.ends_with(".prepared"));
        assert_eq!(prepared.count(), usize::from(is_half_full), "after {n} of 64 KiB");
    }
}

/// Segments of sizes that are no multiples of what is zeroed at once have the size that their headers
/// say, or the log could not be opened again.
#[test]
fn segments_of_odd_sizes_are_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let options = LogOptions { segment_bytes: (300 << 10) + 8, ..options() };
    let (log, _) = open(&disk, options.clone());
    let pushed: Vec<Pushed> = (0..9).map(|_| push(&log, &vec![1; 90 << 10])).collect();
    for pushed in pushed {
        pushed.ticket.wait().unwrap();
    }
    log.close().unwrap();
    let (log, seen) = open(&disk, options);
    assert_eq!(seen.0.len(), 9);
    let stats = log.stats();
    assert!(stats.segments >= 3 && stats.bytes_reserved % (256 << 10) > 0, "{stats:?}");
    assert!(log.directory().display("1.seg").contains(dir.path().to_str().unwrap()));
    assert_eq!(Memory::default().display("1.seg"), "memory:1.seg");
}

#[test]
fn a_segment_that_would_be_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Directory> = Arc::new(Disk::create(dir.path()).unwrap());
    let (log, _) = open(&disk, options());
    for bytes in [(1 << 34) + 4096, u64::MAX] {
        assert!(matches!(log.make_room(bytes), Err(PushError::TooLarge)));
    }
    // The largest is tried, where nothing can be made.
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(matches!(log.make_room(1 << 34), Err(PushError::NoRoom(_))));
}

/// A frame that does not fit comes before the next segment was asked for: that one is as large as it
/// would have been.
#[test]
fn segments_grow_as_well_when_a_frame_asks_for_them() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let (log, _) = open(&memory, LogOptions { segment_bytes: 8 << 20, ..options() });
    for (kib, capacity) in [(400, 1 << 20), (700, 2 << 20), (200, 2 << 20), (1_500, 4 << 20)] {
        push(&log, &vec![1; kib << 10]).ticket.wait().unwrap();
        assert_eq!(log.active_segment().capacity, capacity, "{kib} KiB");
    }
}

/// Who pushes much and waits for nothing has it written all the same, before it fills the memory: by
/// the flusher, if there is one.
#[test]
fn much_that_nobody_waits_for_is_written() {
    for (count, kib) in [(5, 64), (1, 300)] {
        for threads in [Threads::Background, Threads::Inline] {
            let memory: Arc<dyn Directory> = Arc::new(Memory::default());
            let options = LogOptions { segment_bytes: 8 << 20, threads, ..options() };
            let (log, _) = open(&memory, options);
            let rise = log.listen();
            let _kept: Vec<Pushed> = (0..count).map(|_| push(&log, &vec![1; kib << 10])).collect();
            match threads {
                Threads::Background => {
                    rise.wait();
                    assert!(log.durable() >= count.min(4));
                }
                Threads::Inline => assert_eq!(log.durable(), 0),
            }
        }
    }
}

fn copied(directory: &Memory) -> Memory {
    let copy = Memory::default();
    for name in directory.names().unwrap() {
        let file = directory.open(&name, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        copy.create(&name).unwrap().write_at(0, &bytes).unwrap();
    }
    copy
}

/// Two lives of one log go different ways from the same frame, and a frame of one gets into the
/// place of the other's: whole, and where it belongs, but not after what stands before it. It says
/// that the frame before it was durable, so that it was acknowledged itself: nothing is cut off.
#[test]
fn a_frame_of_another_life_is_refused() {
    let one = Memory::default();
    let directory = |memory: &Memory| -> Arc<dyn Directory> { Arc::new(memory.clone()) };
    let (log, _) = open(&directory(&one), options());
    push(&log, &body(40)).ticket.wait().unwrap();
    drop(log);
    let other = copied(&one);
    let live = |memory: &Memory, bytes: [u64; 2]| {
        let (log, _) = open(&directory(memory), options());
        bytes.map(|n| {
            let pushed = push(&log, &n.to_le_bytes().repeat(5));
            pushed.ticket.wait().unwrap();
            pushed.address.offset
        })
    };
    let [_, place] = live(&one, [1, 2]);
    assert_eq!(live(&other, [3, 4])[1], place);
    let name = "00000000000000000001.seg";
    let file = one.open(name, Access::Write).unwrap();
    let mut frame = vec![0; 512];
    other.open(name, Access::Read).unwrap().read_at(place, &mut frame).unwrap();
    // Without the close mark behind it, which says more.
    let len = frame.windows(8).rposition(|bytes| bytes == 4_u64.to_le_bytes()).unwrap() + 8;
    frame[len..].fill(0);
    file.write_at(place, &frame).unwrap();
    let opened = Log::open(directory(&one), options(), &mut Seen::default());
    match opened.err().unwrap() {
        OpenError::Corrupt(Corruption { offset, first_record, reason, .. }) => {
            assert_eq!((offset, first_record), (place, 3));
            assert_eq!(reason, "the frame does not continue the one before it");
        }
        other => panic!("{other}"),
    }
}

/// Behind the seal of the last segment the reader looked for the next one, did not find it, and
/// stayed where it was: who asked for a record that the log does not have waited for ever. And a
/// place before the first segment led into that one.
#[test]
fn a_place_that_the_log_does_not_have_is_an_error() {
    let memory: Arc<dyn Directory> = Arc::new(Memory::default());
    let (log, _) = open(&memory, options());
    // Head and stamp, and room for a seal only: a close does not fit.
    let filling = (8 << 10) - 4096 - 48 - 56;
    push(&log, &vec![1; filling]).ticket.wait().unwrap();
    log.close().unwrap();
    for pattern in [Pattern::Probe, Pattern::Forward, Pattern::Backward] {
        let mut reader = log.reader(pattern);
        assert_eq!(reader.seek(1).unwrap(), Address { segment: 1, offset: 4096 });
        for beyond in [2, 3, u64::MAX] {
            assert!(matches!(reader.seek(beyond), Err(ReadError::Corrupt(_))), "{beyond}");
        }
        for segment in [0, 2, u64::MAX] {
            assert!(reader.frame(Address { segment, offset: 4096 }).is_err(), "{segment}");
        }
        assert!(reader.frame(Address { segment: 1, offset: 4096 }).is_ok());
    }
}

/// A log with a commit in a group of its own, two in one group and as many as asked for in groups of
/// their own, as it is when its process is killed; and where each commit begins.
fn killed(later: u64) -> (Memory, Vec<u64>) {
    let memory = Memory::default();
    let directory: Arc<dyn Directory> = Arc::new(memory.clone());
    let (log, _) = open(&directory, options());
    let first = push(&log, &body(1));
    let mut offsets = vec![first.address.offset];
    first.ticket.wait().unwrap();
    let [second, third] = [2, 3].map(|n| push(&log, &body(n)));
    offsets.extend([&second, &third].map(|pushed| pushed.address.offset));
    third.ticket.wait().unwrap();
    second.ticket.wait().unwrap();
    for n in 4..4 + later {
        let pushed = push(&log, &body(n));
        offsets.push(pushed.address.offset);
        pushed.ticket.wait().unwrap();
    }
    (copied(&memory), offsets)
}

const FIRST: &str = "00000000000000000001.seg";

fn flip(memory: &Memory, name: &str, byte: u64) {
    let file = memory.open(name, Access::Write).unwrap();
    let mut bytes = [0];
    file.read_at(byte, &mut bytes).unwrap();
    file.write_at(byte, &[bytes[0] ^ 1]).unwrap();
}

fn try_open(memory: &Memory) -> Result<(Log, Seen), OpenError> {
    let mut seen = Seen::default();
    let directory: Arc<dyn Directory> = Arc::new(memory.clone());
    Log::open(directory, options(), &mut seen).map(|log| (log, seen))
}

/// Frames of one group reach the disk in any order: a whole one behind a place that is none proves
/// nothing of it. One of a later group proves that it was durable, whatever else stands between.
#[test]
fn a_later_frame_proves_what_it_saw_durable_and_nothing_else() {
    // The damaged frame's checksum is wrong; in the last case that of the first proof as well.
    for (later, is_proof_damaged, readable_again) in
        [(0, false, None), (1, false, Some(4)), (1, true, None), (2, true, Some(5))]
    {
        let (memory, offsets) = killed(later);
        flip(&memory, FIRST, offsets[1]);
        if is_proof_damaged {
            flip(&memory, FIRST, offsets[3]);
        }
        match (try_open(&memory), readable_again) {
            (Ok((log, seen)), None) => {
                assert_eq!(seen.0, [(1, body(1))], "{later} later");
                assert_eq!(log.torn_tail().unwrap().offset, offsets[1]);
            }
            (Err(OpenError::Corrupt(found)), Some(_)) => {
                assert_eq!((found.offset, found.first_record), (offsets[1], 2));
                assert_eq!(found.readable_again, readable_again);
            }
            (opened, _) => panic!("{later} later, {is_proof_damaged}: {opened:?}"),
        }
    }
}

/// Changes a segment's header, and puts its checksum right.
fn change_header(memory: &Memory, name: &str, at: usize, field: &[u8]) {
    let file = memory.open(name, Access::Write).unwrap();
    let mut header = [0; 64];
    file.read_at(0, &mut header).unwrap();
    header[at..at + field.len()].copy_from_slice(field);
    let checksum = crc32fast::hash(&header[..60]).to_le_bytes();
    header[60..].copy_from_slice(&checksum);
    file.write_at(0, &header).unwrap();
}

fn reason_of(memory: &Memory) -> (String, u64, String) {
    match try_open(memory) {
        Err(OpenError::Corrupt(found)) => (found.file, found.offset, found.reason),
        other => panic!("{other:?}"),
    }
}

/// A header that is right in itself, and not the one that the frames behind it were written for:
/// nothing of them is taken for what a recovery left over, and cut off.
#[test]
fn frames_behind_another_header_are_refused() {
    let memory = Memory::default();
    let directory: Arc<dyn Directory> = Arc::new(memory.clone());
    let (log, _) = open(&directory, options());
    // Nothing later proves anything.
    push(&log, &body(1)).ticket.wait().unwrap();
    let memory = copied(&memory);
    let file = memory.open(FIRST, Access::Write).unwrap();
    let len = file.size().unwrap();
    file.write_at(len, &[0; 4096]).unwrap();
    change_header(&memory, FIRST, 48, &(len + 4096).to_le_bytes());
    let (_, offset, reason) = reason_of(&memory);
    assert_eq!((offset, reason.as_str()), (4096, "the frame does not continue the one before it"));
}

/// The second segment has a number that is not the next one, or does not continue the first.
#[test]
fn a_segment_that_is_not_the_next_one_is_refused() {
    let memory = Memory::default();
    let directory: Arc<dyn Directory> = Arc::new(memory.clone());
    let (log, _) = open(&directory, options());
    let pushed: Vec<Pushed> = (1..=40).map(|n| push(&log, &body(n))).collect();
    let second = pushed.iter().find(|pushed| pushed.address.segment == 2).unwrap().first_record;
    for pushed in pushed {
        pushed.ticket.wait().unwrap();
    }
    log.close().unwrap();
    let name = format!("{second:020}.seg");
    for (at, field, file, reason) in [
        (32, 1_u64, &name, "its number is out of order"),
        (56, 7, &FIRST.to_owned(), "the next segment does not continue it"),
    ] {
        let memory = copied(&memory);
        let field = &field.to_le_bytes()[..if at == 32 { 8 } else { 4 }];
        change_header(&memory, &name, at, field);
        let found = reason_of(&memory);
        assert!(found.0.ends_with(file.as_str()), "{found:?}");
        assert_eq!(found.2, reason);
    }
}

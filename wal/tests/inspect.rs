//! Looking at a log without opening it: the frames that were pushed, how each segment ends, and
//! what is wrong, also while a writer is at work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use annals_wal::{
    Access, Directory, Ending, File, FrameKind, LockError, Log, LogOptions, Map, Memory, NewFrame,
    NotPushed, OpenError, SegmentFile, Successor, SyncPolicy, Threads, TornTail, WriterLock,
    body_checksum, list_segments,
};

fn open(memory: &Memory, segment_bytes: u64) -> Log {
    let options = LogOptions {
        segment_bytes,
        sync_policy: SyncPolicy::Always,
        threads: Threads::Inline,
        ..LogOptions::default()
    };
    Log::open(Arc::new(memory.clone()), options, &mut ()).unwrap()
}

/// Pushes a frame of one record, and waits for it.
fn push(log: &Log) {
    let body = vec![log.next_record().to_le_bytes()[0] | 1; 200];
    let frame = NewFrame {
        record_count: 1,
        time: 5,
        stamps: &[7],
        body: &body,
        body_checksum: body_checksum(&body),
    };
    loop {
        match log.push(&frame) {
            Ok(pushed) => return pushed.ticket.wait().unwrap(),
            Err(NotPushed::NoRoomYet { capacity }) => log.make_room(capacity).unwrap(),
            Err(NotPushed::Failed(error)) => panic!("{error}"),
        }
    }
}

/// What a push takes in a segment.
const FRAME_LEN: u64 = 48 + 8 + 200;

/// A closed log of 60 records in several segments.
fn closed() -> Memory {
    let memory = Memory::default();
    let log = open(&memory, 8 << 10);
    (0..60).for_each(|_| push(&log));
    log.close().unwrap();
    memory
}

fn edit(memory: &Memory, file: &SegmentFile, offset: u64, bytes: &[u8]) {
    let file = memory.open(&file.name, Access::Write).unwrap();
    assert_eq!(file.write_at(offset, bytes).unwrap(), bytes.len());
}

/// How a segment ends, from what is there.
fn ending(memory: &Memory, index: usize) -> Result<Ending, OpenError> {
    let files = list_segments(memory).unwrap();
    let next = match files.get(index + 1) {
        Some(next) => Successor::Segment(next.header.as_ref().unwrap()),
        None => Successor::None,
    };
    files[index].read(memory).unwrap().frames().ending(next)
}

fn corrupt(result: Result<Ending, OpenError>) -> (u64, u64, Option<u64>, String) {
    let Err(OpenError::Corrupt(found)) = result else { panic!("{result:?}") };
    (found.offset, found.first_record, found.readable_again, found.reason)
}

#[test]
fn frames_come_in_order_and_say_how_they_end() {
    let memory = closed();
    let files = list_segments(&memory).unwrap();
    assert!(files.len() > 3);
    let mut next_record = 1;
    for (index, file) in files.iter().enumerate() {
        assert_eq!((file.first_record, file.size), (next_record, Some(8 << 10)));
        assert!(file.fault.is_none());
        let bytes = file.read(&memory).unwrap();
        assert_eq!(Some(*bytes.header()), file.header);
        let mut frames = bytes.frames();
        for frame in frames.by_ref().filter(|frame| frame.head.kind == FrameKind::Commit) {
            assert_eq!(frame.head.first_record, next_record);
            assert_eq!(frame.body.len(), 200);
            next_record += 1;
        }
        assert_eq!(frames.next_record(), next_record);
        assert!(frames.next().is_none());
        let expected = if index + 1 == files.len() {
            Ending::Blank { is_closed: true }
        } else {
            Ending::Sealed { stray_bytes: 0 }
        };
        assert_eq!(ending(&memory, index).unwrap(), expected);
    }
    assert_eq!(next_record, 61);
}

#[test]
fn an_empty_directory_has_no_segments() {
    let memory = Memory::default();
    memory.create("00000000000000000001.seg.prepared").unwrap();
    memory.create("1.seg").unwrap();
    assert!(list_segments(&memory).unwrap().is_empty());
}

#[test]
fn the_end_is_judged_as_opening_does() {
    let memory = Memory::default();
    let log = open(&memory, 8 << 10);
    (0..5).for_each(|_| push(&log));
    let file = &list_segments(&memory).unwrap()[0];
    assert_eq!(ending(&memory, 0).unwrap(), Ending::Blank { is_closed: false });
    let (third, end) = (4096 + 2 * FRAME_LEN, 4096 + 5 * FRAME_LEN);
    edit(&memory, file, end, &[1, 0, 2]);
    let torn = TornTail { file: file.path.clone(), offset: end, bytes: 3 };
    assert_eq!(ending(&memory, 0).unwrap(), Ending::Torn(torn));
    edit(&memory, file, third + 60, b"?");
    let reason = "the body's checksum does not match".to_owned();
    assert_eq!(corrupt(ending(&memory, 0)), (third, 3, Some(4), reason));
    drop(log);
}

#[test]
fn what_is_behind_a_seal_is_seen() {
    let memory = closed();
    let file = &list_segments(&memory).unwrap()[0];
    edit(&memory, file, (8 << 10) - 1, b"!");
    let bytes = file.read(&memory).unwrap();
    let mut frames = bytes.frames();
    while frames.next().is_some() {}
    let stray_bytes = (8 << 10) - frames.offset();
    assert_eq!(ending(&memory, 0).unwrap(), Ending::Sealed { stray_bytes });
    // In the last segment, opening looks there, too, and zeroes it.
    let Ending::Torn(torn) = bytes.frames().ending(Successor::None).unwrap() else { panic!() };
    assert_eq!((torn.offset, torn.bytes), (frames.offset(), stray_bytes));
}

/// Behind damage the frames go on with the first one that is whole.
#[test]
fn frames_behind_damage_are_found() {
    let last = (4096 - 48) / FRAME_LEN;
    // Of a frame and where in it: bodies, heads, both, and all there is, with the seal.
    for (damaged, behind) in [
        (vec![(1, 100)], 2..=last),
        (vec![(2, 100)], 3..=last),
        (vec![(2, 4)], 3..=last),
        (vec![(2, 4), (3, 100), (4, 4)], 5..=last),
        (vec![(last, 100), (last + 1, 4)], last + 1..=last),
    ] {
        let memory = closed();
        let file = &list_segments(&memory).unwrap()[0];
        for (frame, at) in &damaged {
            edit(&memory, file, 4096 + (frame - 1) * FRAME_LEN + at, b"?!?");
        }
        let bytes = file.read(&memory).unwrap();
        let mut frames = bytes.frames();
        frames.by_ref().for_each(drop);
        assert_eq!(frames.next_record(), damaged[0].0);
        let found = bytes.frames_behind(&frames).into_iter().flatten();
        let commits = found.filter(|frame| frame.head.kind == FrameKind::Commit);
        assert!(commits.map(|frame| frame.head.first_record).eq(behind), "{damaged:?}");
    }
}

/// Fifteen heads at 48 bytes each, that have as many stamps as to look at all of them takes this
/// many bytes, each saying that what is before `place` was durable.
fn heads(bytes: u64, place: u64) -> Vec<u8> {
    let each = bytes / 15 / 8 * 8;
    let last = bytes - 14 * each;
    let lens = std::iter::repeat_n(each, 14).chain([last]);
    lens.flat_map(|len| {
        let mut head = [0; 48];
        head[12] = 1;
        head[14..16].copy_from_slice(&u16::try_from((len - 48) / 8).unwrap().to_le_bytes());
        head[16..24].copy_from_slice(&1_000_u64.to_le_bytes());
        head[44..].copy_from_slice(&u32::try_from(place / 8 + 1).unwrap().to_le_bytes());
        head
    })
    .collect()
}

/// A file of bytes made on purpose, which looked like heads of many stamps everywhere, took hours to
/// open: they are looked at up to eight times and a mebibyte, and what is not is judged as damage.
#[test]
fn what_looks_like_frames_everywhere_is_not_looked_at_for_ever() {
    let segment_bytes = 256 << 10;
    let memory = Memory::default();
    let log = open(&memory, segment_bytes);
    (0..12).for_each(|_| push(&log));
    log.close().unwrap();
    let file = &list_segments(&memory).unwrap()[0];
    let (second, last) = (4096 + FRAME_LEN, 4096 + 11 * FRAME_LEN);
    let budget = 8 * (segment_bytes - second) + (1 << 20);
    edit(&memory, file, second, &[0; 10 * 256]);
    // The last frame is found if there is enough left for it.
    for (bytes, is_found) in [(budget - FRAME_LEN, true), (budget - FRAME_LEN + 8, false)] {
        edit(&memory, file, second + 8, &heads(bytes, second));
        let bytes = file.read(&memory).unwrap();
        let mut frames = bytes.frames();
        frames.by_ref().for_each(drop);
        let found = bytes.frames_behind(&frames).map(|frames| frames.offset());
        assert_eq!(found, is_found.then_some(last));
    }
    // Not even the close is there now, which would be proof.
    edit(&memory, file, last, &[0; 256 + 48]);
    edit(&memory, file, segment_bytes - 1, b"!");
    for (bytes, is_judged) in [(budget, true), (budget + 8, false)] {
        edit(&memory, file, second + 8, &heads(bytes, second));
        if is_judged {
            let bytes = segment_bytes - second;
            let torn = TornTail { file: file.path.clone(), offset: second, bytes };
            assert_eq!(ending(&memory, 0).unwrap(), Ending::Torn(torn));
        } else {
            let reason = "what follows looks like frames in too many places to be judged";
            assert_eq!(corrupt(ending(&memory, 0)), (second, 2, None, reason.to_owned()));
        }
    }
}

#[test]
fn a_segment_that_is_not_continued_is_seen() {
    let memory = closed();
    let files = list_segments(&memory).unwrap();
    let bytes = files[0].read(&memory).unwrap();
    let wrong = Successor::Segment(files[2].header.as_ref().unwrap());
    let (_, first, again, reason) = corrupt(bytes.frames().ending(wrong));
    assert_eq!(reason, "the next segment does not continue it");
    assert_eq!((first, again), (files[1].first_record, Some(files[2].first_record)));
    let sealed = bytes.frames().ending(Successor::Unknown).unwrap();
    assert_eq!(sealed, Ending::Sealed { stray_bytes: 0 });
    let last = files.last().unwrap().read(&memory).unwrap();
    let (.., reason) = corrupt(last.frames().ending(Successor::Unknown));
    assert_eq!(reason, "the log goes on without a seal");
}

#[test]
fn faults_are_those_of_each_file() {
    let faults = |memory: &Memory| -> Vec<Option<String>> {
        let files = list_segments(memory).unwrap();
        files.iter().map(|file| file.fault.as_ref().map(ToString::to_string)).collect()
    };
    let memory = closed();
    let files = list_segments(&memory).unwrap();
    edit(&memory, &files[0], 0, b"?");
    // A byte that is 0: one of the random id may be a question mark.
    edit(&memory, &files[1], 39, b"?");
    memory.open(&files[3].name, Access::Write).unwrap().write_at(8 << 10, b"?").unwrap();
    let found = faults(&memory);
    let starts = ["it does not begin as a segment does", "the header's checksum does not match"];
    for (fault, start) in found.iter().zip(starts) {
        assert!(fault.as_ref().unwrap().contains(start), "{found:?}");
    }
    assert_eq!(found[2], None);
    assert!(found[3].as_ref().unwrap().contains("it has 8193 bytes where its header says 8192"));
    assert!(found[4..].iter().all(Option::is_none), "{found:?}");

    let memory = closed();
    memory.remove(&files[0].name).unwrap();
    memory.remove(&files[2].name).unwrap();
    let found = faults(&memory);
    for (index, number) in [(0, 1), (1, 3)] {
        let start = format!("segment {number} is missing: ");
        assert!(found[index].as_ref().unwrap().starts_with(&start), "{found:?}");
    }
    assert!(found[2..].iter().all(Option::is_none), "{found:?}");
}

/// What a writer does when a reader is about to read at an offset.
struct Writer(Mutex<Box<dyn FnMut(u64) + Send>>);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// A directory that is read little by little, while a writer is at work.
#[derive(Debug)]
struct Slow(Memory, Arc<Writer>);

#[derive(Debug)]
struct SlowFile(Arc<dyn File>, Arc<Writer>);

impl File for SlowFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.1.0.lock().unwrap()(offset);
        let len = out.len().min(1000);
        self.0.read_at(offset, &mut out[..len])
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<usize> {
        panic!("looking must not write")
    }
    fn sync_data(&self) -> io::Result<()> {
        panic!("looking must not write")
    }
    fn map(&self, _: u64, _: Access) -> io::Result<Option<Map>> {
        panic!("bytes that change must not be mapped")
    }
}

impl Directory for Slow {
    fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        assert_eq!(access, Access::Read);
        Ok(Arc::new(SlowFile(self.0.open(name, access)?, self.1.clone())))
    }
    fn display(&self, name: &str) -> String {
        name.to_owned()
    }
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        panic!("looking must not lock")
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn File>> {
        panic!("looking must not write")
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        panic!("looking must not write")
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        panic!("looking must not write")
    }
    fn sync(&self) -> io::Result<()> {
        panic!("looking must not write")
    }
}

/// A user ran `log-dump verify` beside a busy writer, and was told that acknowledged events were
/// damaged: the reader had passed the end of the log when the writer passed the reader, so that
/// zeroes seemed to stand before frames that proved them durable.
#[test]
fn a_writer_that_overtakes_the_reader_does_no_damage() {
    let memory = Memory::default();
    let log = open(&memory, 64 << 10);
    (0..20).for_each(|_| push(&log));
    let end = 4096 + 20 * FRAME_LEN;
    let work = move |offset| {
        // Twice in one reading: far behind the end of the log as it was, and again.
        if (end + 5_000..end + 6_000).contains(&offset) || (40_000..41_000).contains(&offset) {
            while log.next_record() < 2 * offset / FRAME_LEN && log.next_record() < 200 {
                push(&log);
            }
        }
    };
    let slow = Slow(memory, Arc::new(Writer(Mutex::new(Box::new(work)))));
    let files = list_segments(&slow).unwrap();
    let bytes = files[0].read(&slow).unwrap();
    let mut frames = bytes.frames();
    let count = frames.by_ref().count();
    assert!(count > 100, "{count}");
    assert_eq!(frames.ending(Successor::None).unwrap(), Ending::Blank { is_closed: false });
}

//! Which flipped bits of a log of frames are found, and which are left alone. `tests/repair.rs` of the
//! store flips every bit there is; here are the places that differ.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{ops::Range, sync::Arc};

use annals_wal::{
    Access, Bit, Directory, Log, LogOptions, Memory, Mended, NewFrame, NotPushed, Part, Repair,
    SyncPolicy, Threads, body_checksum, find_repairs, list_segments,
};

const SEGMENT: u64 = 8 << 10;
const FIRST: &str = "00000000000000000001.seg";

/// What a push takes in a segment.
const FRAME_LEN: u64 = 48 + 8 + 200;

/// A log of 20 records in two segments, closed or as it is when its process is killed.
fn written(is_closed: bool) -> Memory {
    let memory = Memory::default();
    let options = LogOptions {
        segment_bytes: SEGMENT,
        sync_policy: SyncPolicy::Always,
        threads: Threads::Inline,
        ..LogOptions::default()
    };
    let log = Log::open(Arc::new(memory.clone()), options, &mut ()).unwrap();
    for number in 1..=20 {
        let body = [number; 200];
        let body_checksum = body_checksum(&body);
        let frame = NewFrame { record_count: 1, time: 5, stamps: &[7], body: &body, body_checksum };
        loop {
            match log.push(&frame) {
                Ok(pushed) => break pushed.ticket.wait().unwrap(),
                Err(NotPushed::NoRoomYet { capacity }) => log.make_room(capacity).unwrap(),
                Err(NotPushed::Failed(error)) => panic!("{error}"),
            }
        }
    }
    if is_closed {
        log.close().unwrap();
        return memory;
    }
    let killed = Memory::default();
    for name in segments(&memory) {
        killed.create(&name).unwrap();
        write(&killed, &name, 0, &read(&memory, &name));
    }
    killed
}

/// The names of the two segments.
fn segments(memory: &Memory) -> [String; 2] {
    let names = list_segments(memory).unwrap().into_iter().map(|file| file.name);
    names.collect::<Vec<_>>().try_into().unwrap()
}

fn read(directory: &dyn Directory, name: &str) -> Vec<u8> {
    let file = directory.open(name, Access::Read).unwrap();
    let mut bytes = vec![0; file.size().unwrap().try_into().unwrap()];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn write(memory: &Memory, name: &str, offset: u64, bytes: &[u8]) {
    let file = memory.open(name, Access::Write).unwrap();
    assert_eq!(file.write_at(offset, bytes).unwrap(), bytes.len());
}

/// Flips bits of a byte; returns how it is then.
fn flip(memory: &Memory, name: &str, byte: u64, mask: u8) -> u8 {
    let flipped = read(memory, name)[usize::try_from(byte).unwrap()] ^ mask;
    write(memory, name, byte, &[flipped]);
    flipped
}

fn found(memory: &Memory) -> Vec<Repair> {
    find_repairs(memory, &|_, _| true).unwrap()
}

/// G18: a flipped bit is found in whatever it lies in, said with what it damages, and no other is; and
/// the log is shown as if it had never been flipped.
#[test]
fn a_flipped_bit_is_found_wherever_it_lies() {
    let memory = written(true);
    let [name, _] = segments(&memory);
    let whole = read(&memory, &name);
    let second = 4096 + FRAME_LEN;
    // As many as leave room for a seal.
    let sealed = 4096 + 15 * FRAME_LEN + 48;
    let (page, frame) = (0..4096, second..second + FRAME_LEN);
    let of_frame = |bytes: Range<u64>, part| bytes.map(move |byte| (byte, part));
    let places = [0, 8, 16, 59, 63, 64, 4095].map(|byte| (byte, Part::Header)).into_iter();
    let places = places
        .chain(of_frame(second..second + 56, Part::Head))
        .chain([56, 57, 255].map(|at| (second + at, Part::Body)))
        .chain([sealed, SEGMENT - 1].map(|byte| (byte, Part::Behind)));
    for (offset, part) in places {
        let (region, records) = match part {
            Part::Header => (page.clone(), 1..1),
            Part::Head | Part::Body => (frame.clone(), 2..3),
            Part::Behind => (offset..offset + 1, 16..16),
        };
        for mask in (0..8).map(|bit| 1 << bit) {
            let expected = Repair {
                name: name.clone(),
                path: format!("memory:{name}"),
                part,
                bit: Bit { offset, mask },
                found: flip(&memory, &name, offset, mask),
                region: region.clone(),
                first_record: records.start,
                next_record: records.end,
            };
            let repairs = found(&memory);
            assert_eq!(repairs, [expected]);
            let mended = Mended::new(Arc::new(memory.clone()), repairs);
            assert!(read(&mended, &name) == whole, "{offset}, {mask}");
            flip(&memory, &name, offset, mask);
        }
    }
    assert_eq!(found(&memory), []);
}

/// G18: where nothing proves that a bit was durable, or more than a bit is wrong, nothing is found.
#[test]
fn what_is_not_proven_or_more_than_a_bit_is_left_alone() {
    let untouched = |memory: &Memory, what: &str| assert_eq!(found(memory), [], "{what}");
    let memory = written(true);
    let [first, last] = segments(&memory);
    flip(&memory, &last, SEGMENT - 1, 4);
    untouched(&memory, "a bit behind the last frame, which the next opening zeroes");

    let memory = written(false);
    flip(&memory, &last, 4096 + 4 * FRAME_LEN + 100, 4);
    untouched(&memory, "a bit of the last frame, which may have been cut short");

    for byte in [64, SEGMENT - 1, 4096 + 100, 9] {
        let memory = written(true);
        flip(&memory, &first, byte, 4 | 8);
        untouched(&memory, "two bits in one place");
    }
}

/// G18: a file that is not the one that its header names, by its name or its size, is no segment of
/// this log: its bits are its own.
#[test]
fn a_file_that_its_header_does_not_fit_is_left_alone() {
    // In the header, in its zeroes, in a body.
    for byte in [20, 3000, 4096 + 100] {
        let memory = written(true);
        let [name, _] = segments(&memory);
        flip(&memory, &name, byte, 4);
        assert_eq!(found(&memory).len(), 1);
        memory.rename(&name, "00000000000000000002.seg").unwrap();
        assert_eq!(found(&memory), [], "byte {byte}, another name");
        memory.rename("00000000000000000002.seg", FIRST).unwrap();
        write(&memory, &name, SEGMENT, &[0; 8]);
        assert_eq!(found(&memory), [], "byte {byte}, another size");
    }
}

/// G18: a header that the first frame does not go on from is not that of these frames, and more than
/// its bit is wrong.
#[test]
fn a_header_of_other_frames_is_left_alone() {
    let memory = written(true);
    let [name, _] = segments(&memory);
    // Another chain, with a checksum that is right.
    let mut header = read(&memory, &name)[..64].to_vec();
    header[56] ^= 1;
    let checksum = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&checksum.to_le_bytes());
    write(&memory, &name, 0, &header);
    assert_eq!(found(&memory), []);
    flip(&memory, &name, 3000, 4);
    assert_eq!(found(&memory), []);
}

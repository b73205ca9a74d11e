//! `log-dump repair`: flipped bits are put right bit by bit where it is proven that something
//! durable was damaged; everything else stays as it is, and is told with what is lost.
//!
//! What must happen follows from the files as they were written, never from the code under test.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test"
)]

#[path = "common/damage.rs"]
mod damage;
#[path = "common/naive/mod.rs"]
mod naive;
#[path = "common/plain.rs"]
mod plain;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use annals_sim::{CrashPlan, Fault, Random, SimDisk, Times};
use annals_tools::{Console, DumpError, Outcome, RepairMode, repair};
use annals_wal::{Access, Directory, Mended, OpenError, find_repairs, write_repairs};
use damage::{
    Base, DAMAGES, Shape, damage, events, flip, in_parallel, is_segment, is_thorough, open,
};
use naive::Files;
use plain::Plain;

const CLOSED: Shape = Shape {
    what: "closed",
    seed: 1,
    commits: 17,
    payload: 360,
    is_closed: true,
    has_images: false,
};
const SHAPES: [Shape; 3] = [
    CLOSED,
    Shape { what: "killed, with images", seed: 2, is_closed: false, has_images: true, ..CLOSED },
    Shape { what: "one segment", seed: 4, commits: 5, payload: 300, ..CLOSED },
];

fn run(
    directory: impl Directory + 'static,
    mode: RepairMode,
) -> Result<(Outcome, String), DumpError> {
    let directory: Arc<dyn Directory> = Arc::new(directory);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = repair(&directory, mode, &mut Console { out: &mut out, err: &mut err });
    outcome.map(|outcome| (outcome, String::from_utf8(out).unwrap()))
}

/// Repairs files; what became of them, without the copies of what was damaged, and what was said.
fn repaired(files: &Files, at: &str) -> (Files, Outcome, String) {
    let directory = Plain::from(files);
    let (outcome, text) = run(directory.clone(), RepairMode::Write).expect(at);
    let mut after = directory.read();
    after.retain(|name, _| !name.ends_with(".damaged"));
    (after, outcome, text)
}

/// Whether something that was durable is damaged by a change of a byte: what stands in segments
/// that others follow, and before what a later frame of the last one says.
fn is_proven(base: &Base, name: &str, byte: usize) -> bool {
    let frames = &base.segments[name];
    if byte < 4096 || base.segments.keys().next_back().is_some_and(|last| last != name) {
        return true;
    }
    let frame = frames.iter().find(|frame| frame.bytes.contains(&byte));
    let is_proof =
        |place: usize| frames.iter().any(|later| later.durable > place.try_into().unwrap());
    frame.is_some_and(|frame| is_proof(frame.bytes.start))
}

/// G18 (repair): every single bit of every segment of small stores, flipped, is put right, if
/// something proves that it was durable; if not, nothing is touched.
#[test]
fn every_flipped_bit_that_is_proven_is_restored() {
    for shape in SHAPES.into_iter().take(if is_thorough() { 3 } else { 1 }) {
        let base = shape.write();
        let bytes: Vec<(&String, usize)> = base
            .segments
            .keys()
            .flat_map(|name| (0..base.files[name].len()).map(move |byte| (name, byte)))
            .collect();
        let (restored, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let own = || base.files.clone();
        in_parallel(shape.what, bytes.len(), own, |files, job| {
            let (name, byte) = bytes[job];
            let is_proven = is_proven(&base, name, byte);
            for bit in 8 * byte..8 * byte + 8 {
                flip(files.get_mut(name).unwrap(), bit);
                let at = format!("{}: {name}, bit {bit}", shape.what);
                let (after, outcome, text) = repaired(files, &at);
                if is_proven {
                    assert!(after == base.files, "not restored: {at}\n{text}");
                    assert_eq!(outcome, Outcome::Sound, "{at}\n{text}");
                    assert!(
                        text.contains("flipped bit: plain:")
                            && text.contains("1 flipped bit put right"),
                        "{at}\n{text}"
                    );
                } else {
                    assert!(after == *files, "touched: {at}\n{text}");
                    assert!(text.contains("nothing is changed"), "{at}\n{text}");
                }
                let count = if is_proven { &restored } else { &left };
                count.fetch_add(1, Ordering::Relaxed);
                flip(files.get_mut(name).unwrap(), bit);
            }
        });
        println!("{}: {restored:?} flipped bits restored, {left:?} not proven", shape.what);
        assert!(restored.into_inner() > 8 * 4096 && left.into_inner() > 0);
    }
}

/// What one checksum covers: a frame's head with its stamps, and its body.
fn covered(base: &Base) -> Vec<(&String, Range<usize>, u64, u64)> {
    let mut parts = Vec::new();
    for (name, frames) in &base.segments {
        let bytes = &base.files[name];
        for (index, frame) in frames.iter().enumerate() {
            let start = frame.bytes.start;
            let stamps = usize::from(u16::from_le_bytes([bytes[start + 14], bytes[start + 15]]));
            let body = start + 48 + 8 * stamps;
            let next = frames.get(index + 1).map_or(frame.first, |next| next.first);
            parts.push((name, start..body, frame.first, next));
            parts.push((name, body..frame.bytes.end, frame.first, next));
        }
    }
    parts.retain(|(name, part, ..)| !part.is_empty() && is_proven(base, name, part.start));
    parts
}

/// G18: two flipped bits under one checksum are never taken for one, nothing is written, and what
/// is lost is said: the events of that commit, and no others.
#[test]
fn two_flipped_bits_are_refused_with_what_is_lost() {
    let base = CLOSED.write();
    let parts = covered(&base);
    let rounds = if is_thorough() { 200_000 } else { 10_000 };
    let told = AtomicUsize::new(0);
    in_parallel(
        "two bits",
        rounds,
        || base.files.clone(),
        |files, job| {
            let mut random = Random::new(u64::try_from(job).unwrap());
            let mut pick = |count: usize| {
                usize::try_from(random.below(u64::try_from(count).unwrap())).unwrap()
            };
            let (name, part, first, next) = &parts[pick(parts.len())];
            let bits = 8 * part.len();
            let one = pick(bits);
            let two = (one + 1 + pick(bits - 1)) % bits;
            for bit in [one, two] {
                flip(files.get_mut(*name).unwrap(), 8 * part.start + bit);
            }
            let at = format!("{name}, bits {one} and {two} of bytes {part:?}");
            let directory = Plain::from(&*files);
            let (outcome, text) = run(directory.clone(), RepairMode::Write).expect(&at);
            assert!(directory.read() == *files, "touched: {at}\n{text}");
            assert_eq!(outcome, Outcome::Damaged, "{at}\n{text}");
            assert!(text.contains("nothing is changed"), "{at}\n{text}");
            if next > first {
                let lost = match next - first {
                    1 => format!("lost in plain:{name}: position {first}\n"),
                    _ => format!("lost in plain:{name}: positions {first} to {}\n", next - 1),
                };
                assert!(text.contains(&lost), "{at}, {lost}\n{text}");
                assert_eq!(text.matches("lost in").count(), 1, "{at}\n{text}");
                told.fetch_add(1, Ordering::Relaxed);
            }
            for bit in [one, two] {
                flip(files.get_mut(*name).unwrap(), 8 * part.start + bit);
            }
        },
    );
    println!("{rounds} pairs of flipped bits refused; {told:?} with lost positions");
    assert!(told.into_inner() > rounds / 2);
}

/// G18: flipped bits in different places are put right together, one in each of many frames; what
/// has two stays and does not keep the others from being repaired.
#[test]
fn each_frame_is_repaired_for_itself() {
    let base = CLOSED.write();
    let parts = covered(&base);
    for (skipped, (name, part, ..)) in parts.iter().enumerate().step_by(3) {
        let (mut files, mut expected) = (base.files.clone(), base.files.clone());
        for (index, (name, part, ..)) in parts.iter().enumerate() {
            if index != skipped {
                flip(
                    files.get_mut(*name).unwrap(),
                    8 * part.start + (index * 37) % (8 * part.len()),
                );
            }
        }
        let (after, outcome, text) = repaired(&files, "one each");
        assert!(after == base.files && outcome == Outcome::Sound, "{text}");
        for files in [&mut files, &mut expected] {
            for bit in [8 * part.start + 3, 8 * part.start + 12] {
                flip(files.get_mut(*name).unwrap(), bit);
            }
        }
        let (after, outcome, text) = repaired(&files, "one each, and one with two");
        // What comes behind the damage in its segment is not looked at.
        let changed = |name: &String| after[name] != files[name];
        assert_eq!(outcome, Outcome::Damaged, "{text}");
        assert!(
            after
                .keys()
                .filter(|other| *other != *name)
                .all(|other| after[other] == base.files[other]),
            "{text}"
        );
        assert!(changed(name) || part.start < 4096 + 400, "{text}");
        for (at, byte) in after[*name].iter().enumerate() {
            assert!(*byte == files[*name][at] || *byte == expected[*name][at], "{at}: {text}");
        }
    }
}

/// G18: a copy of what is damaged that is there already is of a repair that was interrupted, and is
/// enough; or it is of another damage, and stays as it is beside a new one. A copy that had a zero
/// where the new one had not was once taken for an unfinished one, and written over.
#[test]
fn copies_of_earlier_damage_stay() {
    let base = CLOSED.write();
    let (name, frames) = base.segments.iter().next().unwrap();
    let frame = frames[0].bytes.clone();
    let mut files = base.files.clone();
    flip(files.get_mut(name).unwrap(), 8 * (frame.end - 20));
    let damaged = files[name][frame.clone()].to_vec();
    let copies = |files: &Files| -> Vec<Vec<u8>> {
        let copy = |number| files.get(&format!("{name}.{}.{number}.damaged", frame.start)).cloned();
        (1..).map_while(copy).collect()
    };
    let mut other = damaged.clone();
    *other.iter_mut().find(|byte| **byte != 0).unwrap() ^= 1;
    let mut cleared = damaged.clone();
    *cleared.iter_mut().rfind(|byte| **byte != 0).unwrap() = 0;
    let longer = [damaged.as_slice(), &[0]].concat();
    for (there, is_other) in [
        (&damaged[..], false),
        (&other, true),
        (&cleared, true),
        (&longer, true),
        (&damaged[..50], true),
        (b"", true),
    ] {
        let mut files = files.clone();
        files.insert(format!("{name}.{}.1.damaged", frame.start), there.to_vec());
        let directory = Plain::from(&files);
        let (outcome, text) = run(directory.clone(), RepairMode::Write).unwrap();
        assert_eq!(outcome, Outcome::Sound, "{text}");
        let expected =
            if is_other { vec![there.to_vec(), damaged.clone()] } else { vec![damaged.clone()] };
        assert!(copies(&directory.read()) == expected, "{} bytes were there", there.len());
        assert!(directory.read()[name] == base.files[name]);
    }
}

/// G18: a byte that is no longer as it was found is left alone, unless it is right by now.
#[test]
fn what_changed_meanwhile_is_left_alone() {
    let base = CLOSED.write();
    let (name, frames) = base.segments.iter().next().unwrap();
    let byte = frames[0].bytes.end - 20;
    let right = base.files[name][byte];
    let mut files = base.files.clone();
    flip(files.get_mut(name).unwrap(), 8 * byte);
    for (meanwhile, is_refused) in [(right ^ 1, false), (right, false), (right ^ 2, true)] {
        let directory = Plain::from(&files);
        let repairs = find_repairs(&directory, &|_, _| true).unwrap();
        assert_eq!(repairs.len(), 1);
        directory.put(name, byte, meanwhile);
        let written = write_repairs(&directory, &repairs);
        assert_eq!(written.is_err(), is_refused, "{written:?}");
        let expected = if is_refused { meanwhile } else { right };
        assert_eq!(directory.read()[name][byte], expected);
    }
}

/// A log as it would be is shown wherever one begins to read, and cannot be changed.
#[test]
fn a_mended_log_is_shown_and_not_changed() {
    let base = CLOSED.write();
    let (name, frames) = base.segments.iter().next().unwrap();
    let byte = frames[0].bytes.end - 20;
    let mut files = base.files.clone();
    flip(files.get_mut(name).unwrap(), 8 * byte);
    let directory: Arc<dyn Directory> = Arc::new(Plain::from(&files));
    let repairs = find_repairs(&*directory, &|_, _| true).unwrap();
    let mended = Mended::new(directory.clone(), repairs);
    let file = mended.open(name, Access::Read).unwrap();
    for start in [0, byte - 100, byte - 1, byte, byte + 1] {
        let mut read = vec![0; 101];
        assert_eq!(file.read_at(start.try_into().unwrap(), &mut read).unwrap(), 101);
        assert!(read == base.files[name][start..start + 101], "from {start}");
    }
    assert_eq!(mended.display(name), directory.display(name));
    let is_refused = |result: Result<(), std::io::Error>| {
        result.unwrap_err().kind() == std::io::ErrorKind::ReadOnlyFilesystem
    };
    for refused in [
        mended.create("new").map(drop),
        mended.open(name, Access::Write).map(drop),
        mended.rename(name, "new"),
        mended.remove(name),
        mended.sync(),
        file.write_at(0, &[1]).map(drop),
        file.sync_data(),
    ] {
        assert!(is_refused(refused));
    }
    assert!(mended.lock().is_err());
}

/// G18: what a flipped bit lies in is said, with the positions that it affects.
#[test]
fn what_a_bit_lies_in_is_said() {
    let base = CLOSED.write();
    let (name, frames) = base.segments.iter().next().unwrap();
    let (first, second) = (&frames[0], &frames[1]);
    let stamps = usize::from(u16::from_le_bytes(
        base.files[name][first.bytes.start + 14..][..2].try_into().unwrap(),
    ));
    let body = first.bytes.start + 48 + 8 * stamps;
    let end = frames.last().unwrap().bytes.end;
    let of_frame = format!(
        "position{} {}",
        if first.first + 1 == second.first { "" } else { "s" },
        first.first
    );
    for (byte, what, affected) in [
        (3_000, "in the header", String::new()),
        (first.bytes.start + 40, "in the head", of_frame.clone()),
        (body - 1, "in the head", of_frame.clone()),
        (body, "in the body", of_frame.clone()),
        (first.bytes.end - 1, "in the body", of_frame),
        (end, "behind", String::new()),
        (base.files[name].len() - 1, "behind", String::new()),
    ] {
        let mut files = base.files.clone();
        flip(files.get_mut(name).unwrap(), 8 * byte);
        let (after, outcome, text) = repaired(&files, "one bit");
        assert!(after == base.files && outcome == Outcome::Sound, "byte {byte}: {text}");
        let directory = Plain::from(&files);
        run(directory.clone(), RepairMode::Write).unwrap();
        let copies = directory.read().into_iter().filter(|(name, _)| name.ends_with(".damaged"));
        let len: usize = copies.map(|(_, bytes)| bytes.len()).sum();
        assert!(what != "behind" || len == 1, "{len} bytes copied");
        let line = text.lines().find(|line| line.contains("flipped bit: ")).unwrap();
        assert!(line.contains(what) && line.contains(&affected), "byte {byte}: {line}");
    }
}

/// G18: looking writes nothing and takes no lock; writing is refused while a writer has the log, and
/// leaves a copy of what was damaged.
#[test]
fn a_dry_run_writes_nothing_and_a_writer_keeps_repair_out() {
    let base = CLOSED.write();
    let (name, frames) = base.segments.iter().next().unwrap();
    let frame = &frames[1].bytes;
    let mut files = base.files.clone();
    flip(files.get_mut(name).unwrap(), 8 * (frame.end - 9) + 2);
    let directory = Plain::from(&files);
    let lock = directory.lock().unwrap();
    let (outcome, text) = run(directory.clone(), RepairMode::DryRun).unwrap();
    assert!(
        outcome == Outcome::Damaged && text.contains("1 flipped bit can be put right"),
        "{text}"
    );
    assert!(directory.read() == files, "a dry run wrote");
    let refused = run(directory.clone(), RepairMode::Write).unwrap_err();
    assert!(matches!(refused, DumpError::InUse { .. }), "{refused}");
    assert!(directory.read() == files, "what was refused wrote");
    drop(lock);
    run(directory.clone(), RepairMode::Write).unwrap();
    let mut after = directory.read();
    let copy = after.remove(&format!("{name}.{}.1.damaged", frame.start)).unwrap();
    assert_eq!(copy, files[name][frame.clone()]);
    assert!(after == base.files);
    // The same frame is damaged again: the first copy stays, and the store opens beside both.
    directory.put(name, frame.end - 9, base.files[name][frame.end - 9] ^ 0x10);
    run(directory.clone(), RepairMode::Write).unwrap();
    let again = directory.read();
    assert_eq!(again[&format!("{name}.{}.1.damaged", frame.start)], copy);
    assert!(again.contains_key(&format!("{name}.{}.2.damaged", frame.start)));
    assert_eq!(events(&open(&again).unwrap()), base.events);
}

/// G18: whatever is damaged at random, what a repair changes becomes what it was, and the events
/// that can be read afterwards are those that were written.
#[test]
fn what_is_repaired_at_random_is_what_it_was() {
    let base = Shape { has_images: false, ..CLOSED }.write();
    let other = Shape { seed: 99, ..CLOSED }.write();
    let rounds = if is_thorough() { 300_000 } else { 20_000 };
    let repaired_count = AtomicUsize::new(0);
    in_parallel(
        "random damages",
        rounds,
        || (),
        |(), job| {
            let mut random = Random::new(u64::try_from(job).unwrap());
            let mut files = base.files.clone();
            let kind = damage(&mut random, &mut files, &other.files);
            if !files.keys().any(|name| is_segment(name)) {
                return;
            }
            let at = format!("seed {job}: {}", DAMAGES[kind]);
            let before = files.clone();
            let (after, _, text) = repaired(&files, &at);
            assert!(after.keys().eq(before.keys()), "{at}\n{text}");
            for (name, bytes) in &after {
                assert_eq!(bytes.len(), before[name].len(), "{at}\n{text}");
                for (index, byte) in
                    bytes.iter().enumerate().filter(|(index, byte)| before[name][*index] != **byte)
                {
                    // Where a whole file was put, it has bits of its own to restore: none here.
                    assert_eq!(
                        Some(byte),
                        base.files[name].get(index),
                        "byte {index} of {name}: {at}\n{text}"
                    );
                }
            }
            repaired_count.fetch_add(usize::from(after != before), Ordering::Relaxed);
        },
    );
    println!("{rounds} random damages, {repaired_count:?} of them repaired at least in part");
    assert!(repaired_count.into_inner() > rounds / 100);
}

fn disk(files: &Files) -> SimDisk {
    let disk = SimDisk::new();
    for (name, bytes) in files {
        disk.write_file(name, bytes);
    }
    disk
}

fn segments(disk: &SimDisk) -> Files {
    let names = disk.file_names().into_iter().filter(|name| is_segment(name));
    names.map(|name| (name.clone(), disk.read_file(&name).unwrap())).collect()
}

/// G18: a repair can fail or lose its power at any call: every byte is then as it was found or as it
/// should be, and the next repair ends as this one would have.
#[test]
fn a_repair_can_be_interrupted_at_every_call() {
    let base = CLOSED.write();
    let mut files = base.files.clone();
    files.retain(|name, _| is_segment(name));
    let whole = files.clone();
    // A header, a body, and both checksums of one frame.
    for (name, frames) in &base.segments {
        let frame = &frames[0].bytes;
        for byte in [9, frame.start + 20, frame.end - 3] {
            flip(files.get_mut(name).unwrap(), 8 * byte + 1);
        }
    }
    let last = files.keys().next_back().unwrap().clone();
    let mut states = 0;
    for call in 1.. {
        let whole_disk = disk(&files);
        whole_disk.fail_at(call, Fault::EIO, Times::Forever);
        let failed = run(whole_disk.clone(), RepairMode::Write);
        let is_over = whole_disk.faults_struck() == 0;
        assert!(is_over || !matches!(failed, Ok((Outcome::Sound, _))), "{call}: {failed:?}");
        for seed in 0..12 {
            let plan = match seed {
                0 => CrashPlan::durable_only(),
                1 => CrashPlan::everything(),
                seed => CrashPlan::seeded(call * 100 + seed),
            };
            let crashed = whole_disk.crash(plan);
            for (name, bytes) in segments(&crashed) {
                let is_old_or_new = |(index, byte): (usize, &u8)| {
                    *byte == files[&name][index] || *byte == whole[&name][index]
                };
                assert!(bytes.iter().enumerate().all(is_old_or_new), "call {call}, {name}");
            }
            let (outcome, text) = run(crashed.clone(), RepairMode::Write).unwrap();
            assert!(segments(&crashed) == whole, "call {call}, seed {seed}\n{text}");
            assert_eq!(outcome, Outcome::Sound, "{text}");
            states += 1;
        }
        if is_over {
            assert!(segments(&whole_disk) == whole && call > 20, "{last}");
            break;
        }
    }
    println!("{states} interrupted repairs");
}

/// A disk was full, and the repair was to say so, not that a file is missing which it could not
/// make: what ends a repair is the error of the call that failed.
#[test]
fn what_a_repair_failed_of_is_said() {
    let base = CLOSED.write();
    let mut files = base.files.clone();
    let (name, frames) = base.segments.iter().next().unwrap();
    flip(files.get_mut(name).unwrap(), 8 * (frames[0].bytes.end - 20));
    let repairs = find_repairs(&disk(&files), &|_, _| true).unwrap();
    assert_eq!(repairs.len(), 1);
    for call in 1.. {
        let disk = disk(&files);
        disk.fail_at(call, Fault::EIO, Times::Once);
        let written = write_repairs(&disk, &repairs);
        if disk.faults_struck() == 0 {
            assert!(written.is_ok() && call > 5, "{call}: {written:?}");
            break;
        }
        match written {
            Err(OpenError::Io { source, .. }) => assert_eq!(source.raw_os_error(), Some(5)),
            other => panic!("{call}: {other:?}"),
        }
    }
}

//! What a store is given that it cannot take: paths, directories, files, options, appends. Each
//! is refused with an error that a program can tell apart, and that says to people what is wrong,
//! where, and what to do; and nothing is changed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::precedence,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::type_complexity,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, AppendError, Corruption, EventId, EventType, ExpectedVersion, InvalidAppend,
    InvalidName, LogQuery, NewEvent, OpenError, Options, Position, ReadError, StreamId,
    StreamQuery, StreamVersion, SyncPolicy, Threads, limits,
};
use annals_sim::{CrashPlan, Fault, SimDisk, Times};
use common::{Ledger, numbered, open, stream, survive};

/// Whether an error says all of this to people.
#[track_caller]
fn says(error: &impl ToString, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not said by {text:?}");
    }
}

fn small() -> Options {
    Options::new().segment_bytes(8 << 10)
}

fn event(name: &str) -> NewEvent {
    NewEvent::new(stream(name), "Happened", "payload").unwrap()
}

/// Everything in a directory, except for what the lock is held on.
fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(path).unwrap().map(entry).collect()
}

// Paths and directories.

/// G16 (refusals are typed): a path that is a file, or lies below one, is no directory.
#[test]
fn a_path_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "mine").unwrap();
    for path in [path.clone(), path.join("below")] {
        let error = Annals::open(&path).unwrap_err();
        let OpenError::Io { file, source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), io::ErrorKind::NotADirectory, "{error}");
        assert_eq!(*file, path.display().to_string());
        says(&error, &["directory", path.to_str().unwrap()]);
    }
    assert_eq!(fs::read(path).unwrap(), b"mine");
}

/// G16 (refusals are typed): a directory that may not be listed, written or opened is an error of
/// the system, which names what was tried and on what; later, it is not in the way.
#[test]
fn a_directory_without_permission_is_refused() {
    let eacces = Fault::Os(13);
    for fault in [eacces, Fault::EROFS] {
        let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
        // A new log: from the listing to the name of its first segment.
        for call in 1..=8 {
            let fresh = SimDisk::new();
            fresh.fail_at(call, fault, Times::Forever);
            let error = open(&fresh, 0).unwrap_err();
            assert!(matches!(error, OpenError::Io { .. }), "{error}");
            says(&error, &["cannot ", "sim:", "(os error"]);
            fresh.clear_faults();
            ledger.clone().check(&open(&fresh, 1).unwrap()).unwrap();
        }
        let store = open(&disk, 0).unwrap();
        ledger.append(&store, &[("a", 30)]).unwrap();
        drop(store);
        disk.fail_at(1 + disk.calls(), fault, Times::Forever);
        let error = open(&disk, 1).unwrap_err();
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
        disk.clear_faults();
        survive(&disk, &mut ledger, 2).unwrap();
    }
}

/// G16 (refusals are typed): a directory that holds other things and no log is left as it is.
#[test]
fn a_directory_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "mine").unwrap();
    let before = contents(dir.path());
    let error = small().open(dir.path()).unwrap_err();
    let OpenError::NotALog { directory, found } = &error else { panic!("{error:?}") };
    assert!(directory.starts_with(dir.path().to_str().unwrap()));
    assert_eq!(found, "thesis.tex");
    says(&error, &["thesis.tex", "empty or a new directory"]);
    assert_eq!(contents(dir.path()), before);
}

/// G16 (refusals are typed): files that are not the log's, beside it, are no reason to refuse it,
/// and stay.
#[test]
fn foreign_files_beside_a_log_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    small().open(dir.path()).unwrap().append(&Append::new().event(event("a"))).wait().unwrap();
    let foreign =
        ["notes.txt", "1.seg", "0000000000000000000x.seg", "00000000000000000001.seg.bak"];
    for name in foreign {
        fs::write(dir.path().join(name), name).unwrap();
    }
    assert_eq!(small().open(dir.path()).unwrap().position(), Position::new(1));
    for name in foreign {
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), name);
    }
}

// Options.

/// G16 (refusals are typed): an option that no log can have is refused before anything is made,
/// with what it may be.
#[test]
fn options_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    for bytes in [0, 1, (8 << 10) - 1, (16 << 30) + 1, u64::MAX] {
        let error = Options::new().segment_bytes(bytes).open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Options { .. }), "{error}");
        says(&error, &["segment_bytes", &bytes.to_string(), "8 KiB", "16 GiB", "set it to"]);
    }
    let never = SyncPolicy::Interval(Duration::ZERO);
    let error = Options::new().sync_policy(never).open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Options { .. }), "{error}");
    says(&error, &["interval is zero", "SyncPolicy::Always"]);
    let hourly = Options::new().sync_policy(SyncPolicy::Interval(Duration::from_hours(1)));
    let error = hourly.threads(Threads::Inline).open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Options { .. }), "{error}");
    says(&error, &["nobody syncs in intervals", "SyncPolicy::Always", "Threads::Background"]);
    assert!(!path.exists() || contents(&path).is_empty());
}

// Writers.

/// G15 (one writer): who opens a store that is open in this process hears so.
#[test]
fn a_second_writer_in_this_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().open(dir.path()).unwrap();
    let error = small().open(dir.path()).unwrap_err();
    let OpenError::Locked { holder, .. } = &error else { panic!("{error:?}") };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    says(&error, &[dir.path().to_str().unwrap(), "open for writing", "this process", "close it"]);
    // Who was refused has not unlocked it.
    assert!(matches!(small().open(dir.path()), Err(OpenError::Locked { .. })));
    let clone = store.clone();
    drop(store);
    assert!(matches!(small().open(dir.path()), Err(OpenError::Locked { .. })), "a handle is left");
    clone.close().unwrap();
    small().open(dir.path()).unwrap();
}

/// G15 (one writer): the store is unlocked when the drop of its last handle returns, whatever its
/// helper threads are at.
#[test]
fn a_dropped_store_can_be_opened_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let store = small().open(dir.path()).unwrap_or_else(|error| panic!("{round}: {error}"));
        assert_eq!(store.position().get(), 3 * round);
        for _ in 0..3 {
            // Half a segment: helpers make the next one, and images of those before.
            store.append(&numbered(0, &[("a", 1500)])).wait().unwrap();
        }
    }
}

/// G15 (one writer): of many who open at once, one has the store at a time.
#[test]
fn among_many_who_open_at_once_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (writers, opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    match small().open(dir.path()) {
                        Ok(store) => {
                            assert_eq!(writers.fetch_add(1, Ordering::SeqCst), 0, "two writers");
                            opened.fetch_add(1, Ordering::SeqCst);
                            store.append(&Append::new().event(event("a"))).wait().unwrap();
                            assert_eq!(writers.fetch_sub(1, Ordering::SeqCst), 1);
                        }
                        Err(OpenError::Locked { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let opened = u64::try_from(opened.into_inner()).unwrap();
    assert_eq!(small().open(dir.path()).unwrap().position().get(), opened);
}

/// Names the directory to the child that this test program starts of itself.
const CHILD: &str = "ANNALS_TEST_CHILD_DIRECTORY";

/// Not a test: holds a store open for `a_second_writer_in_another_process_is_refused`, until its
/// input ends.
#[test]
fn child_that_holds_a_store() {
    let Some(path) = env::var_os(CHILD) else { return };
    let store = small().open(path).unwrap();
    store.append(&numbered(0, &[("a", 30)])).wait().unwrap();
    println!("it is open");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    store.append(&numbered(3, &[("a", 30)])).wait().unwrap();
    store.close().unwrap();
}

/// A child that has the store in this directory open.
fn child(path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_that_holds_a_store", "--nocapture"])
        .env(CHILD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("it is open") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child ended");
    }
    (child, output)
}

/// G15 (one writer): who opens a store that another process has hears which; after that one
/// closed it, or was killed, it can be opened, and what it was told is durable is there.
#[test]
fn a_second_writer_in_another_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut holder, _output) = child(dir.path());
    let error = small().open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    says(&error, &["open for writing", &format!("process {}", holder.id()), "close it there"]);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(small().open(dir.path()).unwrap().position(), Position::new(2));
    let (mut victim, _output) = child(dir.path());
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(small().open(dir.path()).unwrap().position(), Position::new(3));
}

// Files in place of segments.

/// A log of several segments in a directory, closed.
fn log_in(path: &Path) -> Vec<String> {
    let store = small().open(path).unwrap();
    for _ in 0..16 {
        store.append(&numbered(0, &[("a", 1200), ("b", 20)])).wait().unwrap();
    }
    store.close().unwrap();
    let names = contents(path).into_keys().filter(|name| name.ends_with("seg"));
    let names: Vec<String> = names.collect();
    assert!(names.len() > 3);
    names
}

/// G16 (refusals are typed): a symbolic link, a directory or a FIFO in place of a segment or of
/// the lock is refused: nothing is followed, nothing hangs.
#[test]
fn only_regular_files_are_opened() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = log_in(dir.path());
    for name in [&names[0], &names[2], &names[names.len() - 1], &"annals.lock".to_owned()] {
        let (path, aside) = (dir.path().join(name), other.path().join(name));
        fs::copy(&path, &aside).unwrap();
        let refused = |kind: &str| {
            let error = small().open(dir.path()).expect_err(kind);
            assert!(matches!(error, OpenError::Io { .. }), "{kind}: {error}");
            // The lock is one of the directory.
            let file = if name == "annals.lock" { "" } else { name };
            says(&error, &["cannot ", dir.path().to_str().unwrap(), file]);
        };
        fs::remove_file(&path).unwrap();
        symlink(&aside, &path).unwrap();
        refused("a symbolic link");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        refused("a directory");
        fs::remove_dir(&path).unwrap();
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        refused("a FIFO");
        fs::remove_file(&path).unwrap();
        fs::copy(&aside, &path).unwrap();
    }
    assert_eq!(small().open(dir.path()).unwrap().position(), Position::new(32));
}

/// G16 (refusals are typed): a symbolic link in place of an image is not followed: it is replaced
/// by an image made anew, and what it leads to is left alone.
#[test]
fn a_link_in_place_of_an_image_is_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = log_in(dir.path());
    let image = dir.path().join(names[0].replace(".seg", ".idx"));
    let target = other.path().join("target");
    fs::copy(&image, &target).unwrap();
    let before = fs::read(&target).unwrap();
    fs::remove_file(&image).unwrap();
    symlink(&target, &image).unwrap();
    let store = small().open(dir.path()).unwrap();
    assert_eq!(store.read_stream(&stream("b"), StreamQuery::forward()).count(), 16);
    store.close().unwrap();
    assert!(fs::symlink_metadata(&image).unwrap().is_file());
    assert_eq!(fs::read(&target).unwrap(), before);
}

/// A copy of a log on a simulated disk, changed.
fn changed(disk: &SimDisk, change: impl FnOnce(&SimDisk)) -> OpenError {
    let copy = disk.crash(CrashPlan::everything());
    change(&copy);
    let names = copy.file_names();
    let error = open(&copy, 50).expect_err("it was changed");
    assert_eq!(copy.file_names(), names, "refused and changed: {error}");
    error
}

/// A closed log of five segments on a simulated disk; their names. Images or not.
fn log_on_disk(seed: u64, with_images: bool) -> (SimDisk, Vec<String>) {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, seed).unwrap();
    for _ in 0..10 {
        ledger.append(&store, &[("a", 1800)]).unwrap();
    }
    store.close().unwrap();
    let is_segment = |name: &String| fs_extension(name) == Some("seg");
    let names: Vec<String> = disk.file_names().into_iter().filter(is_segment).collect();
    for name in disk.file_names() {
        if fs_extension(&name) == Some("idx") && !with_images {
            remove(&disk, &name);
        }
    }
    assert_eq!(names.len(), 5);
    (disk.crash(CrashPlan::everything()), names)
}

fn fs_extension(name: &str) -> Option<&str> {
    Path::new(name).extension()?.to_str()
}

fn remove(disk: &SimDisk, name: &str) {
    annals_wal::Directory::remove(disk, name).unwrap();
}

/// G16 (refusals are typed): a segment that is missing is named by its number, with the file that
/// does not follow.
#[test]
fn a_missing_segment_is_named() {
    for with_images in [true, false] {
        let (disk, names) = log_on_disk(0, with_images);
        for missing in 0..4 {
            let error = changed(&disk, |disk| remove(disk, &names[missing]));
            let OpenError::MissingSegment { segment, before } = &error else { panic!("{error:?}") };
            assert_eq!(*segment, u64::try_from(missing + 1).unwrap());
            assert!(before.ends_with(&names[missing + 1]), "{before}");
            says(&error, &["segment", "missing", "restore it from a copy"]);
        }
    }
}

#[track_caller]
/// G16, G7 (refusals are typed; nothing durable is cut off): that the last segment is missing is
/// noticed by the image of the one before, which is made when another follows.
#[test]
fn a_missing_last_segment_is_noticed_where_an_image_is() {
    let (disk, names) = log_on_disk(0, true);
    let error = changed(&disk, |disk| remove(disk, &names[4]));
    let OpenError::MissingEnd { segment: 5, before } = &error else { panic!("{error:?}") };
    assert!(before.ends_with(&names[3]), "{before}");
    says(&error, &["segment", "missing", "restore it from a copy"]);
}

fn is_corrupt(error: &OpenError, name: &str) {
    let OpenError::Corrupt(Corruption { file, .. }) = error else { panic!("{error:?}") };
    assert!(file.ends_with(name), "{error}");
    says(error, &[name, "damaged at byte", "positions", "nothing was changed", "log-dump verify"]);
}

/// G16 (refusals are typed): a segment of another log, in the place of one of this log, is
/// refused; so are all that were exchanged between two logs, and those of one log.
#[test]
fn segments_that_do_not_belong_are_refused() {
    for with_images in [true, false] {
        let ((disk, names), (other, others)) =
            (log_on_disk(0, with_images), log_on_disk(7, with_images));
        assert_eq!(names, others);
        for index in 0..names.len() {
            let foreign = other.read_file(&names[index]).unwrap();
            let error = changed(&disk, |disk| disk.write_file(&names[index], &foreign));
            // The first of them says which log it is.
            is_corrupt(&error, &names[index.max(1)]);
            says(&error, &["another log"]);
        }
        for (a, b) in [(0, 1), (1, 3), (3, 4)] {
            let error = changed(&disk, |disk| {
                let contents = [a, b].map(|index| disk.read_file(&names[index]).unwrap());
                disk.write_file(&names[a], &contents[1]);
                disk.write_file(&names[b], &contents[0]);
            });
            is_corrupt(&error, &names[a]);
            says(&error, &["its header says that it begins with"]);
        }
        let error = changed(&disk, |disk| {
            let copy = disk.read_file(&names[1]).unwrap();
            disk.write_file("00000000000000000099.seg", &copy);
        });
        is_corrupt(&error, "00000000000000000099.seg");
    }
}

/// CRC-32, bit by bit: the code under test has its own.
fn crc32(start: u32, bytes: &[u8]) -> u32 {
    let mut crc = !start;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Changes the header of a segment, with a checksum that fits.
fn change_header(segment: &mut [u8], change: impl FnOnce(&mut [u8])) {
    assert_eq!(crc32(0, &segment[..60]).to_le_bytes(), segment[60..64], "docs/format.md");
    change(segment);
    let crc = crc32(0, &segment[..60]).to_le_bytes();
    segment[60..64].copy_from_slice(&crc);
}

/// Changes the head of the first frame of a segment, with a checksum that fits.
fn change_head(segment: &mut [u8], change: impl FnOnce(&mut [u8])) {
    let (header, frame) = segment.split_at_mut(4096);
    let seed = crc32(0, &header[16..40]) ^ 4096 / 8;
    // One stream: one stamp.
    let crc = |frame: &[u8]| crc32(seed, &frame[4..48 + 8]).to_le_bytes();
    assert_eq!(crc(frame), frame[..4], "docs/format.md");
    change(frame);
    let crc = crc(frame);
    frame[..4].copy_from_slice(&crc);
}

/// G16 (refusals are typed): what a newer version wrote is told from damage: a header with a
/// higher version or an unknown flag, a frame of an unknown kind or with an unknown flag, in any
/// segment.
/// Proves G19.
#[test]
fn a_newer_format_is_told_from_damage() {
    let (disk, names) = log_on_disk(0, false);
    let newer = |index: usize, found: u32, change: &dyn Fn(&mut [u8])| {
        let error = changed(&disk, |disk| {
            let mut bytes = disk.read_file(&names[index]).unwrap();
            change(&mut bytes);
            disk.write_file(&names[index], &bytes);
        });
        let OpenError::Newer { file, found: said, known } = &error else { panic!("{error:?}") };
        assert!(file.ends_with(&names[index]), "{error}");
        assert_eq!((*said, *known), (found, 1));
        says(&error, &["format version", "open it with a newer Annals"]);
    };
    for index in 0..names.len() {
        newer(index, 2, &|bytes| change_header(bytes, |bytes| bytes[8] = 2));
        newer(index, 1 << 24, &|bytes| {
            change_header(bytes, |bytes| bytes[8..12].copy_from_slice(&[0, 0, 0, 1]));
        });
        newer(index, 1, &|bytes| change_header(bytes, |bytes| bytes[12] = 1));
        for kind in [0, 4, 255] {
            newer(index, 1, &|bytes| change_head(bytes, |frame| frame[12] = kind));
        }
        for flag in [1, 2, 128] {
            newer(index, 1, &|bytes| change_head(bytes, |frame| frame[13] = flag));
        }
    }
}

/// G17 (hostile files): checksums are no proof of sense: headers and heads with right checksums
/// and impossible contents are refused.
#[test]
fn nonsense_with_a_right_checksum_is_refused() {
    let (disk, names) = log_on_disk(0, false);
    let refused = |index: usize, at: usize, change: &dyn Fn(&mut [u8])| {
        let error = changed(&disk, |disk| {
            let mut bytes = disk.read_file(&names[index]).unwrap();
            change(&mut bytes);
            disk.write_file(&names[index], &bytes);
        });
        let is_refused = matches!(error, OpenError::Corrupt(_) | OpenError::MissingSegment { .. });
        assert!(is_refused, "segment {index}, byte {at}: {error}");
    };
    for index in [0, 2, names.len() - 1] {
        // Version 0, another number, first position or capacity.
        for (at, value) in [(8, 0), (32, 9), (40, 77), (48, 1), (49, 0), (55, 0xFF)] {
            refused(index, at, &|bytes| change_header(bytes, |header| header[at] = value));
        }
        // Length of the body, first position, events, chain, length before, durable offset.
        for (at, flip) in [(8, 1), (11, 1), (16, 99), (23, 255), (32, 1), (36, 1), (40, 1), (47, 1)]
        {
            refused(index, at, &|bytes| change_head(bytes, |frame| frame[at] ^= flip));
        }
    }
}

/// A segment whose frames leave no room for a seal was opened; the next append wrote the seal behind
/// the segment's end, and the log, whose file was then too long, could not be opened again. Proves
/// G17.
#[test]
fn frames_that_leave_no_room_for_a_seal_are_refused() {
    let disk = SimDisk::new();
    let store = open(&disk, 0).unwrap();
    store.append(&numbered(0, &[("a", 100)])).wait().unwrap();
    drop(store);
    let name = disk.file_names().into_iter().find(|name| name.ends_with(".seg")).unwrap();
    let whole = disk.read_file(&name).unwrap();
    let closed = (whole.iter().rposition(|byte| *byte != 0).unwrap() + 1).next_multiple_of(8);
    let end = closed - 48;
    for room in [0, 8, 40, 48, 56] {
        let mut bytes = whole[..end].to_vec();
        bytes.resize(end + room, 0);
        let capacity = u64::try_from(bytes.len()).unwrap().to_le_bytes();
        change_header(&mut bytes, |header| header[48..56].copy_from_slice(&capacity));
        let chain = bytes[60..64].to_vec();
        change_head(&mut bytes, |head| head[36..40].copy_from_slice(&chain));
        disk.write_file(&name, &bytes);
        let crashed = disk.crash(CrashPlan::everything());
        match open(&crashed, 1) {
            Ok(store) => {
                assert!(room >= 48, "{room} bytes of room");
                store.append(&numbered(1, &[("a", 100)])).wait().unwrap();
                store.close().unwrap();
                assert_eq!(open(&crashed, 2).unwrap().position(), Position::new(2));
            }
            Err(error) => {
                assert!(room < 48 && matches!(error, OpenError::Corrupt(_)), "{room}: {error}");
                says(&error, &["no room for a seal", &name]);
            }
        }
    }
}

// Appends.

/// What is invalid about an append, according to a store.
fn invalid(append: &Append) -> InvalidAppend {
    let store = Annals::in_memory().unwrap();
    let refused = store.append(append).wait();
    assert_eq!(store.read_all(LogQuery::forward()).count(), 0);
    match refused {
        Err(AppendError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

/// G16 (refusals are typed): an append of nothing, also with expectations.
#[test]
fn an_empty_append_is_refused() {
    let nothing = Append::new();
    let only_expects = Append::new().expect(stream("a"), ExpectedVersion::NoStream);
    for append in [nothing, only_expects] {
        let error = invalid(&append);
        assert_eq!(error, InvalidAppend::Empty);
        says(&error, &["no events", "at least one"]);
    }
}

/// G16 (limits): what is one too large is refused, with the limit; what is just small enough is
/// taken, and comes back.
#[test]
fn limits_hold_on_both_sides() {
    let mut large = event("a");
    large.payload = vec![7; limits::EVENT_BYTES_MAX];
    let store = Annals::in_memory().unwrap();
    store.append(&Append::new().event(large.clone())).wait().unwrap();
    let read = store.read_all(LogQuery::forward()).next().unwrap().unwrap();
    assert_eq!(read.payload, large.payload);
    large.metadata.push(1);
    let error = invalid(&Append::new().event(event("a")).event(large.clone()));
    let bytes = limits::EVENT_BYTES_MAX + 1;
    assert_eq!(error, InvalidAppend::EventTooLarge { index: 1, bytes });
    says(&error, &["event 1", &bytes.to_string(), "at most 16 MiB", "reference"]);
    large.metadata.clear();
    let error = invalid(&Append::new().events(vec![large; 4]));
    assert!(matches!(error, InvalidAppend::CommitTooLarge { .. }), "{error}");
    says(&error, &["at most 64 MiB", "split it"]);
    let many = Append::new().events(vec![event("a"); limits::COMMIT_EVENTS_MAX]);
    store.append(&many).wait().unwrap();
    let error = invalid(&many.event(event("a")));
    assert_eq!(error, InvalidAppend::TooManyEvents { events: 65_536 });
    says(&error, &["65536", "at most 65,535", "split it"]);
    let streams = (0..=limits::COMMIT_STREAMS_MAX).map(|n| stream(&n.to_string()));
    let mut append = Append::new().event(event("a"));
    append.expectations.extend(streams.map(|stream| (stream, ExpectedVersion::Any)));
    let error = invalid(&append);
    assert_eq!(error, InvalidAppend::TooManyStreams { streams: 65_536 });
    says(&error, &["65536 streams", "at most 65,535"]);
    append.expectations.pop();
    store.append(&append).wait().unwrap();
    let mut tagged = event("a");
    tagged.tags = vec!["tag".to_owned(); limits::EVENT_TAGS_MAX + 1];
    let error = invalid(&Append::new().event(tagged));
    assert_eq!(error, InvalidAppend::TooManyTags { index: 0, tags: 65 });
    says(&error, &["65 tags", "at most 64"]);
}

/// G16 (limits): a name is 1 to 255 bytes without control characters, whatever it names.
#[test]
fn names_are_checked_wherever_they_stand() {
    let stream_id = |name: &str| StreamId::new(name).unwrap_err();
    let event_type = |name: &str| EventType::new(name.to_owned()).unwrap_err();
    let tag = |name: &str| match invalid(&Append::new().event(event("a").with_tag(name))) {
        InvalidAppend::Name(error) => error,
        other => panic!("{other}"),
    };
    let checks: [(&str, &dyn Fn(&str) -> InvalidName); 3] =
        [("the stream id", &stream_id), ("the event type", &event_type), ("the tag", &tag)];
    for (what, check) in checks {
        assert!(matches!(check(""), InvalidName::Empty { .. }));
        says(&check(""), &[what, "empty", "1 to 255 bytes"]);
        let long = "é".repeat(128);
        assert!(matches!(check(&long), InvalidName::TooLong { bytes: 256, .. }));
        says(&check(&long), &[what, "256 bytes", "shorten", "255"]);
        for control in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}'] {
            let error = check(&format!("name{control}"));
            assert!(matches!(error, InvalidName::ControlCharacter { at: 4, .. }), "{error}");
            says(&error, &[what, "control character", "byte 4", "remove or encode"]);
            assert!(!error.to_string().contains(control), "it reached the terminal");
        }
    }
    StreamId::new(&"é".repeat(127)).unwrap();
}

/// G16 (refusals are typed): one stream, two expectations that cannot both be meant; the same said
/// twice, also in other words, is fine.
#[test]
fn contradictory_expectations_are_refused() {
    let zero = ExpectedVersion::Exactly(StreamVersion::ZERO);
    let said = |first, second| {
        Append::new().event(event("a")).expect(stream("b"), first).expect(stream("b"), second)
    };
    let error = invalid(&said(ExpectedVersion::NoStream, ExpectedVersion::Exists));
    assert!(matches!(error, InvalidAppend::ContradictoryExpectations { .. }), "{error}");
    says(&error, &["stream b", "no events", "at least one event", "keep one"]);
    let store = Annals::in_memory().unwrap();
    store.append(&said(ExpectedVersion::NoStream, zero)).wait().unwrap();
}

/// G16 (refusals are typed): ids are given to all events of an append or to none, each once.
#[test]
fn ids_that_make_no_sense_are_refused() {
    let id = EventId::new([7; 16]);
    let error = invalid(&Append::new().event(event("a").with_id(id)).event(event("a")));
    assert_eq!(error, InvalidAppend::SomeIdsMissing);
    says(&error, &["ids", "all of them", "or none"]);
    let twice = [event("a").with_id(id), event("b").with_id(id)];
    let error = invalid(&Append::new().events(twice));
    assert_eq!(error, InvalidAppend::RepeatedId { id });
    says(&error, &[&id.to_string(), "an id names one event"]);
}

/// G16 (closed is closed): after a close every handle refuses appends, and still reads; closing
/// again is fine; a subscription ends when it has delivered everything.
#[test]
fn a_closed_store_refuses_appends_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().open(dir.path()).unwrap();
    let mut subscription = store.subscribe(Position::ZERO);
    store.append(&Append::new().event(event("a"))).wait().unwrap();
    let clone = store.clone();
    store.close().unwrap();
    store.close().unwrap();
    for store in [&store, &clone] {
        let error = store.append(&Append::new().event(event("a"))).wait().unwrap_err();
        assert!(matches!(error, AppendError::Closed), "{error}");
        says(&error, &["closed", "open it again"]);
        assert_eq!(store.read_all(LogQuery::forward()).count(), 1);
    }
    let error = loop {
        if let Err(error) = subscription.recv() {
            break error;
        }
    };
    assert!(matches!(error, ReadError::Closed), "{error}");
    says(&error, &["closed", "everything in it was delivered"]);
    // Others may write; this one goes on reading what it knows.
    let next = small().open(dir.path()).unwrap();
    next.append(&Append::new().event(event("a"))).wait().unwrap();
    assert_eq!(store.read_all(LogQuery::forward()).count(), 1);
}

/// An id that names another event is refused with the place of that event.
#[test]
fn an_id_in_use_is_refused() {
    let store = Annals::in_memory().unwrap();
    let [one, two] = [1, 2].map(|n| EventId::new([n; 16]));
    let append =
        |ids: &[EventId]| Append::new().events(ids.iter().map(|id| event("a").with_id(*id)));
    store.append(&append(&[one])).wait().unwrap();
    let error = store.append(&append(&[two, one])).wait().unwrap_err();
    let AppendError::IdInUse { id, position } = error else { panic!("{error}") };
    assert_eq!((id, position), (one, Position::new(1)));
    says(&error, &[&one.to_string(), "position 1", "an id of its own"]);
    assert_eq!(store.position(), Position::new(1));
}

/// A disk that refuses everything is refused, and unlocked: the next one can try.
#[test]
fn a_refused_opening_leaves_no_lock() {
    let disk = Arc::new(SimDisk::new());
    disk.fail_at(1, Fault::EIO, Times::Forever);
    assert!(matches!(small().open_on(disk.clone()), Err(OpenError::Io { .. })));
    disk.clear_faults();
    disk.write_file("other", b"");
    assert!(matches!(small().open_on(disk.clone()), Err(OpenError::NotALog { .. })));
    remove(&disk, "other");
    small().open_on(disk).unwrap();
}

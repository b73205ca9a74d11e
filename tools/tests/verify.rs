//! `verify` finds nothing in what is sound, and the right place in what is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use annals_engine::{OpenError, Options};
use annals_tools::{Console, LogDirectory, Outcome};
use common::{
    closed_store, copy, dump, edit, files, fill, json, number, open, segment_files,
    store_with_images, verify,
};
use serde_json::Value;

fn sound(path: &Path) -> String {
    let (text, code) = verify(path);
    assert_eq!(code, 0, "{text}");
    assert!(text.lines().last().unwrap().starts_with("ok: "), "{text}");
    text
}

/// What `verify` says is wrong, line by line.
fn wrong(path: &Path) -> Vec<String> {
    let (text, code) = verify(path);
    assert_eq!(code, 1, "{text}");
    assert!(text.lines().last().unwrap().starts_with("damaged: "), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("  wrong: ")).map(str::to_owned).collect()
}

fn offset(frame: &Value) -> usize {
    number(&frame["offset"])
}

/// The frames of a kind in a segment.
fn frames(path: &Path, segment: u64, kind: &str) -> Vec<Value> {
    let mut frames = json(&["frames"], path);
    frames.retain(|frame| frame["segment"] == segment && frame["kind"] == kind);
    frames
}

fn damage(file: &Path, offset: usize, rest: &str) -> String {
    format!("{} is damaged at byte {offset}: {rest}", file.display())
}

#[test]
fn a_sound_store_is_ok() {
    let dir = tempfile::tempdir().unwrap();
    store_with_images(dir.path());
    let text = sound(dir.path());
    let segments = segment_files(dir.path()).len();
    let images = segments - 1;
    let expected =
        format!("ok: {segments} segments, 150 commits, 450 events, 8 streams, {images} images");
    assert_eq!(text.lines().last().unwrap(), expected);
    assert_eq!(text.lines().count(), segments + 1);
}

/// Proves G18.
#[test]
fn looking_changes_nothing_and_takes_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let state = || {
        let entries = fs::read_dir(dir.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let changed = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name(), changed, fs::read(entry.path()).unwrap())
        });
        let mut state: Vec<_> = entries.collect();
        state.sort();
        state
    };
    let before = state();
    for command in ["segments", "frames", "events", "streams", "verify"] {
        assert_eq!(dump(&[command], dir.path()).status.code(), Some(0));
    }
    assert!(before == state());
}

#[test]
fn a_torn_tail_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (live, crashed) = (dir.path().join("live"), dir.path().join("crashed"));
    let annals = open(&live);
    fill(&annals, 150);
    copy(&live, &crashed);
    drop(annals);
    let file = segment_files(&crashed).pop().unwrap();
    let last = json(&["frames"], &crashed).pop().unwrap();
    let (start, end) = (offset(&last), offset(&last) + number(&last["length"]));
    // The last commit was being written: a part of it is there.
    edit(&file, |bytes| bytes[end - 50..end].fill(0));
    let (text, code) = verify(&crashed);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!(" bytes from byte {start} on are no whole commit")), "{text}");
    assert!(text.contains("the next opening for writing cuts them off"), "{text}");
    assert!(text.contains("ok: "), "{text}");
    assert!(text.contains("149 commits, 447 events"), "{text}");
    let torn = json(&["frames"], &crashed).pop().unwrap();
    assert_eq!((&torn["kind"], &torn["offset"]), (&"torn".into(), &last["offset"]));
    let segment = &json(&["segments"], &crashed);
    let segment = &segment[segment.len() - 2];
    assert_eq!((&segment["state"], &segment["torn_bytes"]), (&"torn tail".into(), &torn["length"]));
    let annals = open(&crashed);
    let cut = annals.stats().torn_tail.unwrap();
    assert_eq!((&cut.offset.into(), &cut.bytes.into()), (&last["offset"], &torn["length"]));
    assert_eq!(annals.position().get(), 447);
    annals.close().unwrap();
    assert!(sound(&crashed).contains("closed cleanly"));
}

#[test]
fn a_store_that_is_open_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    assert!(sound(dir.path()).contains("no positions  0 commits  0 events  active"));
    fill(&annals, 100);
    assert!(sound(dir.path()).contains("100 commits, 300 events"));
    drop(annals);
}

/// A reader beside a writer reads later bytes later: it must not take that for damage.
#[test]
fn a_store_that_is_written_to_meanwhile_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    let (is_done, mut looks) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            fill(&annals, 3000);
            is_done.store(true, Ordering::Release);
        });
        while !is_done.load(Ordering::Acquire) {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut console = Console { out: &mut out, err: &mut err };
            let log = LogDirectory::open(dir.path()).unwrap();
            let outcome = annals_tools::verify(&log, &mut console).unwrap();
            assert_eq!(outcome, Outcome::Sound, "{}", String::from_utf8_lossy(&out));
            looks += 1;
        }
    });
    assert!(looks > 10, "{looks}");
    assert!(sound(dir.path()).contains("3000 commits, 9000 events"));
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let file = &segment_files(dir.path())[1];
    let commits = frames(dir.path(), 2, "commit");
    let frame = &commits[commits.len() / 2];
    let last = number(&commits.last().unwrap()["last_position"]);
    let first = number(&frame["first_position"]);
    edit(file, |bytes| bytes[offset(frame) + 100] ^= 4);
    let rest =
        format!("the body's checksum does not match; positions {first} to {last} are affected");
    assert_eq!(wrong(dir.path()), [damage(file, offset(frame), &rest)]);
    edit(file, |bytes| bytes[offset(frame) + 100] ^= 4);
    edit(file, |bytes| bytes[offset(frame) + 20] ^= 4);
    let rest =
        format!("the head's checksum does not match; positions {first} to {last} are affected");
    assert_eq!(wrong(dir.path()), [damage(file, offset(frame), &rest)]);
    // What can be read is shown all the same, and what cannot is told.
    let output = dump(&["events"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap().lines().count();
    assert_eq!(shown, 450 - (last + 1 - first));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told, format!("log-dump: {}\n", damage(file, offset(frame), &rest)));
}

#[test]
fn a_flipped_bit_before_the_last_group_of_the_active_segment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (live, crashed) = (dir.path().join("live"), dir.path().join("crashed"));
    let annals = open(&live);
    fill(&annals, 20);
    copy(&live, &crashed);
    drop(annals);
    let file = &segment_files(&crashed)[0];
    let commits = frames(&crashed, 1, "commit");
    let frame = &commits[9];
    edit(file, |bytes| bytes[offset(frame) + 70] ^= 1);
    let rest = "the body's checksum does not match; positions 28 to 30 are affected";
    assert_eq!(wrong(&crashed), [damage(file, offset(frame), rest)]);
    assert!(annals_engine::Annals::open(&crashed).is_err());
    edit(file, |bytes| bytes[offset(frame)..offset(frame) + 200].fill(0));
    let zeroed = &wrong(&crashed)[0];
    assert!(zeroed.contains("zeroes stand where a frame was; positions 28 to "), "{zeroed}");
}

#[test]
fn a_missing_segment_is_named_with_its_positions() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let files = segment_files(dir.path());
    let commits = frames(dir.path(), 2, "commit");
    let (first, last) = (&commits[0]["first_position"], &commits.last().unwrap()["last_position"]);
    fs::remove_file(&files[1]).unwrap();
    let expected = [
        format!(
            "segment 2 is missing: {} does not follow; restore it from a copy",
            files[2].display()
        ),
        format!("what is missing: positions {first} to {last}"),
    ];
    assert_eq!(wrong(dir.path()), expected);
    // Without the first one, the second must not be taken for the beginning.
    fs::remove_file(&files[0]).unwrap();
    let found = wrong(dir.path());
    assert!(found[0].starts_with("segment 1 is missing: "), "{found:?}");
    assert_eq!(found[1], format!("what is missing: positions 1 to {last}"));
}

/// The image of a segment is made when the next one is durable: where it is, the next one was.
/// Without it, the log could have ended there.
#[test]
fn a_missing_last_segment_is_found_by_the_image_before() {
    let dir = tempfile::tempdir().unwrap();
    store_with_images(dir.path());
    let files = segment_files(dir.path());
    fs::remove_file(files.last().unwrap()).unwrap();
    let before = &files[files.len() - 2];
    let expected = format!(
        "segment {} is missing: the index image of {} was made when it was there; \
         restore it from a copy, or delete that image to open the log without it",
        files.len(),
        before.display()
    );
    assert_eq!(wrong(dir.path()), std::slice::from_ref(&expected));
    let error = Options::new().open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::MissingEnd { .. }));
    assert_eq!(error.to_string(), expected);
    assert_eq!(wrong(dir.path()), [expected], "nothing was changed");
    fs::remove_file(before.with_extension("idx")).unwrap();
    sound(dir.path());
    drop(open(dir.path()));
}

#[test]
fn a_truncated_segment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let files = segment_files(dir.path());
    let commits = frames(dir.path(), 2, "commit");
    let cut = &commits[5];
    edit(&files[1], |bytes| bytes.truncate(offset(cut) + 60));
    let found = wrong(dir.path());
    let size = offset(cut) + 60;
    let rest = format!("it has {size} bytes where its header says 16384; positions from ");
    assert!(found[0].starts_with(&damage(&files[1], 0, &rest)), "{found:?}");
    let first = number(&cut["first_position"]);
    assert!(found[1].starts_with(&damage(&files[1], offset(cut), "")), "{found:?}");
    let last = number(&commits.last().unwrap()["last_position"]);
    let positions = format!("; positions {first} to {last} are affected");
    assert!(found[1].ends_with(&positions), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
    edit(&files[1], |bytes| bytes.truncate(100));
    let rest = "it has 100 bytes, too few for a header; positions from ";
    assert!(wrong(dir.path())[0].starts_with(&damage(&files[1], 0, rest)));
    edit(&files[1], Vec::clear);
    assert!(wrong(dir.path())[0].contains("it has 0 bytes, too few for a header"));
}

#[test]
fn swapped_segments_are_found() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let files = segment_files(dir.path());
    for [a, b] in [[1, 2], [0, 1]] {
        let (first, second) = (&files[a], &files[b]);
        let swap = || {
            let bytes = fs::read(first).unwrap();
            fs::copy(second, first).unwrap();
            fs::write(second, bytes).unwrap();
        };
        swap();
        let found = wrong(dir.path());
        assert_eq!(found.len(), 2, "{found:?}");
        for (problem, file) in found.iter().zip([first, second]) {
            let start = damage(file, 0, "its header says that it begins with ");
            assert!(problem.starts_with(&start), "{found:?}");
        }
        swap();
        sound(dir.path());
    }
}

#[test]
fn bytes_after_a_seal_are_found() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let file = &segment_files(dir.path())[0];
    let seal = frames(dir.path(), 1, "seal").pop().unwrap();
    let end = offset(&seal) + 48;
    assert!(end < 16384, "there is room behind the seal");
    edit(file, |bytes| bytes[16383] = 1);
    let next = number(&seal["next_position"]);
    let rest = format!(
        "bytes follow the seal, where nobody writes; every position before {next} can be read"
    );
    assert_eq!(wrong(dir.path()), [damage(file, end, &rest)]);
}

#[test]
fn a_foreign_segment_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    closed_store(&ours);
    closed_store(&theirs);
    let (ours, theirs) = (segment_files(&ours), segment_files(&theirs));
    assert_eq!(ours[1].file_name(), theirs[1].file_name());
    fs::copy(&theirs[1], &ours[1]).unwrap();
    let found = wrong(ours[1].parent().unwrap());
    assert!(found[0].starts_with(&damage(&ours[1], 0, "it belongs to another log")), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_header_that_is_damaged_is_found() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    for (index, file) in segment_files(dir.path()).iter().enumerate() {
        for at in [0, 20, 41, 61, 100, 4095] {
            edit(file, |bytes| bytes[at] ^= 1);
            let found = wrong(dir.path());
            assert!(found[0].starts_with(&damage(file, 0, "")), "{index} {at}: {found:?}");
            assert_eq!(found.len(), 1, "{index} {at}: {found:?}");
            edit(file, |bytes| bytes[at] ^= 1);
        }
    }
    sound(dir.path());
}

#[test]
fn an_image_that_cannot_be_used_is_only_noted() {
    let dir = tempfile::tempdir().unwrap();
    store_with_images(dir.path());
    let image = files(dir.path(), "idx")[0].clone();
    let good = fs::read(&image).unwrap();
    for bad in [&good[..good.len() - 1], &good[..50], b"", &[0; 500]] {
        fs::write(&image, bad).unwrap();
        let text = sound(dir.path());
        assert!(text.contains("  note: 00000000000000000001.idx is not used"), "{text}");
    }
    for at in [8, 20, 50, 92, 100, 200] {
        edit(&image, |bytes| {
            bytes.clone_from(&good);
            bytes[at] ^= 1;
        });
        assert!(sound(dir.path()).contains("image unusable"));
    }
    fs::remove_file(&image).unwrap();
    assert!(sound(dir.path()).contains("no image"));
}

#[test]
fn an_image_that_leads_astray_is_found() {
    let dir = tempfile::tempdir().unwrap();
    store_with_images(dir.path());
    let image = &files(dir.path(), "idx")[0];
    // Places have no checksum of their own.
    for back in [1, 8, 500] {
        edit(image, |bytes| {
            let at = bytes.len() - back;
            bytes[at] ^= 1;
        });
        let found = wrong(dir.path());
        let start = format!("{} does not match its segment: the place of stream ", image.display());
        assert!(found[0].starts_with(&start), "{found:?}");
        assert!(found[0].ends_with("delete it and open the store: it is made anew"), "{found:?}");
        edit(image, |bytes| {
            let at = bytes.len() - back;
            bytes[at] ^= 1;
        });
    }
    sound(dir.path());
}

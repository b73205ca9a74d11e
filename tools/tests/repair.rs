//! The command `log-dump repair`, on real files: what it says, what it returns, and what it changes.
//! What it finds is proved in `tests/repair.rs`, bit by bit.
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
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

use common::{closed_store, dump, edit, json, number, open, segment_files, verify};
use serde_json::Value;

/// Where a commit stands: its segment, its bytes in there, its positions.
struct Place {
    segment: PathBuf,
    bytes: Range<usize>,
    positions: String,
}

impl Place {
    /// A commit in the middle of a segment that others follow: it is proven that it was durable.
    fn find(log: &Path) -> Self {
        let segment = segment_files(log).remove(1);
        let is_in_it = |frame: &Value| frame["segment"] == 2;
        let frames: Vec<Value> = json(&["frames"], log).into_iter().filter(is_in_it).collect();
        let frame = &frames[frames.len() / 2];
        let (start, len) = (number(&frame["offset"]), number(&frame["length"]));
        let first = number(&frame["first_position"]);
        let positions = format!("positions {first} to {}", first + 2);
        Self { segment, bytes: start..start + len, positions }
    }

    /// Flips bits of the commit's body.
    fn flip(&self, masks: &[u8]) {
        edit(&self.segment, |bytes| {
            for (at, mask) in (self.bytes.end - 9..).zip(masks) {
                bytes[at] ^= mask;
            }
        });
    }
}

/// What is in a directory, but for the lock, which says who had it last.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| !file.ends_with("annals.lock"));
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// What `repair` writes to both outputs, and its exit code.
fn repair(flags: &[&str], path: &Path) -> (String, String, i32) {
    let output = dump(&[&["repair"], flags].concat(), path);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// G18 (repair): a dry run says which bit is wrong and changes nothing; `--write` puts it right,
/// keeps what was damaged, and leaves a store that is what it was.
#[test]
fn a_flipped_bit_is_shown_and_then_put_right() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let whole = contents(dir.path());
    let place = Place::find(dir.path());
    place.flip(&[4]);
    let damaged = contents(dir.path());
    let (at, was) = (place.bytes.end - 9, whole[&place.segment][place.bytes.end - 9]);
    let told = format!(
        "flipped bit: {}, byte {at}: {:#04x} should be {was:#04x}; in the body of the frame at byte \
         {}, {}\n",
        place.segment.display(),
        was ^ 4,
        place.bytes.start,
        place.positions
    );
    let (text, error, code) = repair(&["--dry-run"], dir.path());
    assert_eq!((error.as_str(), code), ("", 1), "{text}");
    assert!(text.contains(&told), "{told}{text}");
    assert!(text.ends_with(
        "repair: 1 flipped bit can be put right, as above; nothing is changed without --write\n"
    ));
    assert!(contents(dir.path()) == damaged, "a dry run wrote");
    let (text, error, code) = repair(&["--write"], dir.path());
    assert_eq!((error.as_str(), code), ("", 0), "{text}");
    assert!(text.contains(&told), "{told}{text}");
    assert!(text.ends_with(
        "repair: 1 flipped bit put right; what was damaged is kept in files that end with .damaged\n"
    ));
    let mut after = contents(dir.path());
    let name = place.segment.file_name().unwrap().to_str().unwrap();
    let copy = dir.path().join(format!("{name}.{}.1.damaged", place.bytes.start));
    assert_eq!(after.remove(&copy).unwrap(), damaged[&place.segment][place.bytes.clone()]);
    assert!(after == whole, "it is not what it was");
    assert_eq!(verify(dir.path()).1, 0);
    assert_eq!(open(dir.path()).position().get(), 450);
}

/// G18 (repair): what is sound is left alone, with either flag.
#[test]
fn what_is_sound_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let before = contents(dir.path());
    for flag in ["--dry-run", "--write"] {
        let (text, error, code) = repair(&[flag], dir.path());
        assert_eq!((error.as_str(), code), ("", 0), "{flag}: {text}");
        assert!(text.ends_with(
            "repair: no flipped bit was found that can be put right; nothing is changed\n"
        ));
        assert!(contents(dir.path()) == before, "{flag}");
    }
}

/// G18 (repair): two flipped bits in one place are more than can be put right: it is said which
/// positions are lost, and nothing is changed. One elsewhere is put right all the same.
#[test]
fn two_flipped_bits_stay_and_what_is_lost_is_said() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let place = Place::find(dir.path());
    place.flip(&[4, 1]);
    let damaged = contents(dir.path());
    let lost = format!("lost in {}: {}\n", place.segment.display(), place.positions);
    for flag in ["--dry-run", "--write"] {
        let (text, error, code) = repair(&[flag], dir.path());
        assert_eq!((error.as_str(), code), ("", 1), "{flag}: {text}");
        assert!(text.contains(&lost), "{flag}: {lost}{text}");
        assert!(text.contains("nothing is changed"), "{flag}: {text}");
        assert!(contents(dir.path()) == damaged, "{flag}");
    }
    edit(&segment_files(dir.path())[0], |bytes| bytes[20] ^= 1);
    let (text, error, code) = repair(&["--write"], dir.path());
    assert_eq!((error.as_str(), code), ("", 1), "{text}");
    assert!(text.contains(&lost) && text.contains("1 flipped bit put right"), "{lost}{text}");
    let mut after = contents(dir.path());
    after.retain(|file, _| file.extension().is_none_or(|extension| extension != "damaged"));
    assert!(after == damaged, "two bits were touched, or one was not put right");
}

/// G18 (repair): whether to write has to be said, and only one of both.
#[test]
fn neither_and_both_flags_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    Place::find(dir.path()).flip(&[4]);
    let before = contents(dir.path());
    for (flags, what) in [
        (&[][..], "required arguments were not provided"),
        (&["--dry-run", "--write"], "'--dry-run' cannot be used with '--write'"),
    ] {
        let (text, error, code) = repair(flags, dir.path());
        assert_eq!((text.as_str(), code), ("", 2), "{flags:?}: {error}");
        assert!(error.contains(what), "{flags:?}: {error}");
        assert!(error.contains("--dry-run") && error.contains("--write"), "{flags:?}: {error}");
        assert!(contents(dir.path()) == before, "{flags:?}");
    }
}

/// G18 (repair): while a writer has the log, it can be looked at and not repaired.
#[test]
fn a_store_that_is_open_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let whole = contents(dir.path());
    let store = open(dir.path());
    let place = Place::find(dir.path());
    place.flip(&[4]);
    let damaged = contents(dir.path());
    let (text, error, code) = repair(&["--write"], dir.path());
    assert_eq!((text.as_str(), code), ("", 2), "{error}");
    let who =
        format!("{}/ is open for writing by process {}", dir.path().display(), std::process::id());
    assert!(error.starts_with(&format!("log-dump: {who} (")), "{who}: {error}");
    assert!(error.ends_with("); close it there before it is repaired\n"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let (text, _, code) = repair(&["--dry-run"], dir.path());
    assert!(code == 1 && text.contains("1 flipped bit can be put right"), "{text}");
    assert!(contents(dir.path()).get(&place.segment) == damaged.get(&place.segment));
    assert_eq!(common::files(dir.path(), "damaged"), Vec::<PathBuf>::new());
    store.close().unwrap();
    assert_eq!(repair(&["--write"], dir.path()).2, 0);
    assert!(contents(dir.path()).get(&place.segment) == whole.get(&place.segment));
}

/// G18 (repair): what is no log is not made one, and gets no lock.
#[test]
fn what_is_no_log_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        for flag in ["--dry-run", "--write"] {
            let (text, error, code) = repair(&[flag], &path);
            assert_eq!((text.as_str(), code), ("", 2), "{error}");
            assert!(error.contains("give the directory that the store was opened in"), "{error}");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was made there");
    let help = Command::new(env!("CARGO_BIN_EXE_log-dump")).args(["repair", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("--dry-run") && help.contains("--write"), "{help}");
}

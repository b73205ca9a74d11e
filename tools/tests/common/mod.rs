//! Stores to look into, and the binary to look with.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use annals_engine::{Annals, Options};
use annals_event::{Append, EventId, NewEvent, StreamId};
use serde_json::Value;

/// How many events a commit of [`fill`] has.
pub(crate) const EVENTS: u64 = 3;

pub(crate) fn open(path: &Path) -> Annals {
    Options::new().segment_bytes(16 << 10).open(path).unwrap()
}

pub(crate) fn event(
    stream: &str,
    event_type: &'static str,
    payload: impl Into<Vec<u8>>,
) -> NewEvent {
    NewEvent::new(StreamId::new(stream).unwrap(), event_type, payload).unwrap()
}

/// Appends commits of three events over two streams, each durable before the next.
pub(crate) fn fill(annals: &Annals, commits: u64) {
    for n in 0..commits {
        let position = annals.position().get();
        let mut id = [7; 16];
        id[..8].copy_from_slice(&position.to_le_bytes());
        let other = format!("other-{}", n % 7);
        let id = |last| {
            id[15] = last;
            EventId::new(id)
        };
        append(annals, &other, n, id);
    }
}

fn append(annals: &Annals, other: &str, n: u64, mut id: impl FnMut(u8) -> EventId) {
    let commit = Append::new()
        .event(event("main", "Counted", format!("{{\"n\": {n}}}")).with_id(id(0)))
        .event(event(other, "Seen", vec![0xff, 0, 1]).with_metadata("who").with_id(id(1)))
        .event(event("main", "Checked", "x".repeat(20)).with_tag("a tag").with_id(id(2)));
    annals.append(&commit).wait().unwrap();
}

/// A closed store of 150 commits over several segments.
pub(crate) fn closed_store(path: &Path) {
    let annals = open(path);
    fill(&annals, 150);
    annals.close().unwrap();
}

/// As [`closed_store`], with an index image that fits for every sealed segment.
pub(crate) fn store_with_images(path: &Path) {
    closed_store(path);
    let annals = open(path);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !verify(path).0.matches("image fits").count().eq(&(segment_files(path).len() - 1)) {
        assert!(Instant::now() < deadline, "{}", verify(path).0);
        std::thread::sleep(Duration::from_millis(5));
    }
    annals.close().unwrap();
}

/// Copies a directory as a crash of the process would leave it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

pub(crate) fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    found
}

pub(crate) fn segment_files(path: &Path) -> Vec<PathBuf> {
    files(path, "seg")
}

pub(crate) fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

pub(crate) fn dump(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-dump"));
    let (first, rest) = arguments.split_first().unwrap();
    command.arg(first).arg(path).args(rest).output().unwrap()
}

/// The lines of a command that must find everything in order and say nothing else.
pub(crate) fn lines(arguments: &[&str], path: &Path) -> Vec<String> {
    let output = dump(arguments, path);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

pub(crate) fn json(arguments: &[&str], path: &Path) -> Vec<Value> {
    let arguments = [arguments, &["--json"]].concat();
    lines(&arguments, path).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `verify` writes, and its exit code.
pub(crate) fn verify(path: &Path) -> (String, i32) {
    let output = dump(&["verify"], path);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

pub(crate) fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

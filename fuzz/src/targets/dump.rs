//! A whole directory, looked at by every command of `log-dump`: nothing that a terminal obeys is
//! written, every line of JSON is one, and `verify` agrees with opening.

use std::{
    io::{self, Write},
    sync::Arc,
};

use annals::{Directory, Filter};
use annals_tools::{
    Console, DumpError, LogDirectory, Outcome, Selection, events, frames, is_hidden, segments,
    streams, verify,
};

use crate::{archive::Archive, memory::capped, plain::Plain, targets::store::open};

/// Takes lines and holds each to what a line must be.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    is_json: bool,
    strays: bool,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                self.check();
                self.line.clear();
            } else {
                self.line.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn check(&mut self) {
        let line = str::from_utf8(&self.line).expect("a line that is no text");
        assert!(!line.contains(is_hidden), "{line:?}");
        if self.is_json {
            serde_json::from_str::<serde_json::Value>(line).expect("a line that is no JSON");
        }
        self.strays |= line.contains("bytes follow the seal");
    }
}

/// Runs a command; says how it ended, and whether it spoke of bytes behind a seal.
fn run(
    is_json: bool,
    command: impl FnOnce(&mut Console<'_>) -> Result<Outcome, DumpError>,
) -> (Outcome, bool) {
    let mut out = Lines { is_json, ..Lines::default() };
    let mut err = Lines::default();
    let outcome = command(&mut Console { out: &mut out, err: &mut err });
    assert!(out.line.is_empty() && err.line.is_empty(), "a line without an end");
    (outcome.expect("nothing fails in memory"), out.strays)
}

fn everything(json: bool) -> Selection {
    Selection { positions: 1..=u64::MAX, filter: Filter::all(), limit: u64::MAX, json }
}

/// The input is an archive.
pub fn dump(input: &[u8]) {
    let files = Archive::parse(input).files();
    let given = files.values().map(Vec::len).sum();
    let directory: Arc<dyn Directory> = Arc::new(Plain::from(&files));
    let log = match LogDirectory::open_on(directory.clone()) {
        Ok(log) => log,
        Err(DumpError::NoLog { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    // A segment, and a line of which each byte may take six characters.
    let (outcome, strays) = capped(given, 64, || {
        // One of the others, for the time that it takes: which, the input says.
        let json = input.len().is_multiple_of(2);
        match input.len() / 2 % 4 {
            0 => run(json, |console| segments(&log, json, console)),
            1 => run(json, |console| frames(&log, json, console)),
            2 => run(json, |console| streams(&log, "", json, console)),
            _ => run(json, |console| events(&log, &everything(json), console)),
        };
        run(false, |console| verify(&log, console))
    });
    let has_images = files.keys().any(|name| name.ends_with(".idx"));
    match open(&directory) {
        Ok(_) => assert!(outcome == Outcome::Sound || strays || has_images, "opening takes it"),
        Err(error) => assert!(outcome == Outcome::Damaged || has_images, "opening says {error}"),
    }
}

//! An input for people: which files it is, and what is made of them.

use std::{fmt::Write, sync::Arc};

use annals::Directory;
use annals_tools::{Console, LogDirectory, verify};

use crate::{archive::Archive, naive, plain::Plain, targets::open};

/// What an input of [`crate::store`] or [`crate::dump`] is.
pub fn show(input: &[u8]) -> String {
    let mut text = String::new();
    let files = Archive::parse(input).files();
    for (name, bytes) in &files {
        writeln!(text, "{name}: {} bytes", bytes.len()).unwrap();
        let Ok(header) = naive::header(bytes) else { continue };
        writeln!(text, "  {header:?}").unwrap();
        for frame in naive::frames(bytes, &header).all {
            writeln!(text, "  {frame:?}").unwrap();
        }
        let found = naive::frames(bytes, &header);
        writeln!(text, "  ends at {}: {:?}", found.end, found.verdict).unwrap();
    }
    writeln!(text, "the naive decoder: {:?}", naive::log(&files)).unwrap();
    let directory: Arc<dyn Directory> = Arc::new(Plain::from(&files));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    match LogDirectory::open_on(directory.clone()) {
        Ok(log) => drop(verify(&log, &mut Console { out: &mut out, err: &mut err })),
        Err(error) => writeln!(text, "log-dump: {error}").unwrap(),
    }
    text.push_str(&String::from_utf8_lossy(&out));
    match open(&directory) {
        Ok(store) => writeln!(text, "opened: {:?}", store.stats()).unwrap(),
        Err(error) => writeln!(text, "not opened: {error}").unwrap(),
    }
    text
}

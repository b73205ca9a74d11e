//! The example of `docs/format.md` is what the code writes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{fmt::Write, io, sync::Arc};

use annals::{Append, Environment, NewEvent, Options, StreamId, Threads};
use annals_sim::SimDisk;

/// A fixed time and a fixed log id.
#[derive(Debug)]
struct Fixed;

impl Environment for Fixed {
    fn now_micros(&self) -> i64 {
        1_750_000_000_000_000
    }

    fn random(&self) -> io::Result<u128> {
        Ok(u128::from_le_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]))
    }
}

/// Proves G19.
#[test]
fn the_example_frame_is_what_the_code_writes() {
    let disk = SimDisk::new();
    let options = Options::new().threads(Threads::Inline).environment(Arc::new(Fixed));
    let annals = options.segment_bytes(8 << 10).open_on(Arc::new(disk.clone())).unwrap();
    let account = StreamId::new("account-1").unwrap();
    let opened = NewEvent::new(account, "Opened", "hi").unwrap();
    annals.append(&Append::new().event(opened)).wait().unwrap();

    let segment = disk.read_file("00000000000000000001.seg").unwrap();
    let mut hex = String::new();
    let rows = segment[4096..].chunks(16).enumerate();
    for (index, row) in rows.take_while(|(_, row)| row.iter().any(|byte| *byte != 0)) {
        write!(hex, "{:04x}", 4096 + index * 16).unwrap();
        for byte in row {
            write!(hex, " {byte:02x}").unwrap();
        }
        hex.push('\n');
    }
    let document = include_str!("../docs/format.md");
    assert!(document.contains(&hex), "docs/format.md has another example than\n{hex}");
}

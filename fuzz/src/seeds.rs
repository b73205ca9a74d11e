//! Inputs to begin with, made from real stores.

use std::{fs, path::Path, sync::Arc};

use annals::{Annals, Append, EventId, NewEvent, Options, StreamId, Threads};
use annals_sim::{SimDisk, SimEnvironment};

use crate::archive::{Archive, Entry, Kind};

fn open(disk: &SimDisk) -> Annals {
    let options = Options::new().threads(Threads::Inline).segment_bytes(8 << 10);
    let environment = Arc::new(SimEnvironment::new(1));
    options.environment(environment).open_on(Arc::new(disk.clone())).unwrap()
}

fn event(stream: &str, payload: usize) -> NewEvent {
    NewEvent::new(StreamId::new(stream).unwrap(), "Happened", vec![b'x'; payload]).unwrap()
}

/// A log of so many commits of all shapes, closed or not.
fn archive(commits: u64, payload: usize, is_closed: bool) -> Archive {
    let disk = SimDisk::new();
    let store = open(&disk);
    for number in 0..commits {
        let rich = event("b", payload).with_metadata("who").with_tag("t").with_tag("\u{202e}");
        let rich = rich.with_id(EventId::new(u128::from(number).to_le_bytes()));
        let append = match number % 3 {
            0 => Append::new().event(event("a", payload)),
            1 => Append::new().event(rich),
            _ => Append::new().event(event("a", 0)).event(event("c", 1)).event(event("a", payload)),
        };
        store.append(&append).wait().unwrap();
    }
    if is_closed {
        store.close().unwrap();
    }
    let bytes = |name: &String| Entry::of(name, &disk.read_file(name).unwrap());
    Archive(disk.file_names().iter().filter_map(bytes).collect())
}

/// Writes what each target begins with into folders beside each other.
///
/// # Panics
/// A file cannot be written.
pub fn write_seeds(corpus: &Path) {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(corpus.join(target)).unwrap();
        fs::write(corpus.join(target).join(name), bytes).unwrap();
    };
    for (commits, payload, is_closed) in
        [(0, 0, true), (1, 2, false), (3, 30, true), (7, 300, false), (12, 900, true)]
    {
        let archive = archive(commits, payload, is_closed);
        let name = format!("seed-{commits}-{payload}");
        put("store", &name, &archive.to_input());
        put("dump", &name, &archive.to_input());
        for (index, entry) in archive.0.iter().enumerate() {
            let name = format!("{name}-{index}");
            match entry.kind {
                Kind::Image => put("image", &name, &entry.content),
                Kind::Segment if entry.first == 1 => put("frame", &name, &entry.content[64..]),
                _ => {}
            }
        }
    }
    let segment = archive(3, 5, true).0.remove(0).content;
    for (index, frame) in crate::mend::frames(&segment).into_iter().enumerate() {
        let frame = &segment[frame];
        let stamps = frame[14];
        let start = 48 + 8 * usize::from(stamps);
        let head = [frame[32], frame[33], frame[34], stamps];
        put("commit", &format!("seed-{index}"), &[&head, &frame[start..]].concat());
    }
    for (index, operations) in OPERATIONS.iter().enumerate() {
        put("model", &format!("seed-{index}"), &operations.concat());
    }
}

/// Lives to begin with.
const OPERATIONS: [&[[u8; 4]]; 5] = [
    &[[0, 0, 9, 0], [1, 5, 9, 0], [9, 0, 0, 0], [2, 8, 9, 0], [11, 0, 0, 1]],
    &[[4, 100, 0, 0], [4, 60, 0, 0], [4, 80, 0, 0], [15, 0, 2, 0], [11, 7, 1, 0], [8, 0, 0, 0]],
    &[[0, 4, 9, 1], [1, 8, 9, 1], [2, 3, 9, 1], [12, 9, 9, 0], [5, 1, 12, 0], [6, 1, 3, 0]],
    &[[13, 3, 0, 0], [0, 1, 1, 0], [0, 2, 1, 0], [10, 0, 0, 0], [7, 0, 0, 0], [13, 1, 1, 7]],
    &[[14, 18, 0, 0], [4, 99, 0, 0], [4, 99, 0, 0], [14, 0, 0, 0], [4, 99, 0, 0]],
];

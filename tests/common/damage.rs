//! Stores to damage, and ways to do it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use annals::{Annals, Append, EventId, LogQuery, NewEvent, OpenError, Options, StreamId, Threads};
use annals_sim::{Random, SimEnvironment};

use crate::{
    naive::{self, Event, Files, Frame},
    plain::Plain,
};

pub(crate) const SECTOR: usize = 512;

/// Whether to do everything, which takes minutes: the gate does, with `ANNALS_THOROUGH=1`.
pub(crate) fn is_thorough() -> bool {
    env::var_os("ANNALS_THOROUGH").is_some()
}

pub(crate) fn is_segment(name: &str) -> bool {
    name.strip_suffix(".seg").is_some()
}

pub(crate) fn is_image(name: &str) -> bool {
    name.strip_suffix(".idx").is_some()
}

/// A store as it lies on a disk, and what is in it.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) what: &'static str,
    pub(crate) files: Files,
    pub(crate) events: Vec<Event>,
    /// The segments, by name, with their frames.
    pub(crate) segments: BTreeMap<String, Vec<Frame>>,
}

/// What a store is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) what: &'static str,
    pub(crate) seed: u64,
    pub(crate) commits: u64,
    pub(crate) payload: u64,
    pub(crate) is_closed: bool,
    pub(crate) has_images: bool,
}

pub(crate) fn options(seed: u64) -> Options {
    let environment = Arc::new(SimEnvironment::new(seed));
    Options::new().threads(Threads::Inline).environment(environment).segment_bytes(8 << 10)
}

impl Shape {
    /// Writes the store.
    pub(crate) fn write(self) -> Base {
        let directory = Plain::default();
        let store = options(self.seed).open_on(Arc::new(directory.clone())).unwrap();
        self.fill(&store);
        if self.is_closed {
            store.close().unwrap();
        }
        let mut files = directory.read();
        files.retain(|name, _| self.has_images || !is_image(name));
        let events = events(&store);
        let found = naive::log(&files).unwrap().unwrap();
        assert_eq!(found.events, events, "{}: the two decoders agree", self.what);
        let segments = files.iter().filter(|(name, _)| is_segment(name));
        let frames = |bytes: &[u8]| naive::frames(bytes, &naive::header(bytes).unwrap()).all;
        let segments = segments.map(|(name, bytes)| (name.clone(), frames(bytes))).collect();
        Base { what: self.what, files, events, segments }
    }

    pub(crate) fn fill(self, store: &Annals) {
        let mut random = Random::new(self.seed);
        let mut ids = 0..;
        for number in 0..self.commits {
            let mut append = Append::new();
            for _ in 0..=random.below(3) {
                let stream = StreamId::new(["a", "b", "c-longer"][pick(&mut random, 3)]).unwrap();
                let len = pick(&mut random, usize::try_from(self.payload).unwrap() + 1);
                let payload: Vec<u8> = (0..len).map(|_| random.bits().to_le_bytes()[0]).collect();
                let event = NewEvent::new(stream, "Happened", payload).unwrap();
                append = append.event(match number % 3 {
                    0 => event.with_id(EventId::new(u128::to_le_bytes(ids.next().unwrap()))),
                    1 => event.with_metadata("who").with_tag("tagged"),
                    _ => event,
                });
            }
            let pending = store.append(&append);
            // Some share a group with the next one.
            if random.below(4) > 0 {
                pending.wait().unwrap();
            }
        }
    }
}

fn pick(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(u64::try_from(count).unwrap())).unwrap()
}

pub(crate) fn open(files: &Files) -> Result<Annals, OpenError> {
    options(99).open_on(Arc::new(Plain::from(files)))
}

/// Everything in a store that can be read without an error.
pub(crate) fn events(store: &Annals) -> Vec<Event> {
    store.read_all(LogQuery::forward()).map(|event| naive::event(&event.unwrap())).collect()
}

/// What was done to a store.
pub(crate) const DAMAGES: [&str; 14] = [
    "bits",
    "bytes",
    "a run of bytes",
    "a sector of noise",
    "zeroed sectors",
    "a cut",
    "a longer file",
    "a sector in another's place",
    "two sectors exchanged",
    "a sector of another file",
    "two files exchanged",
    "a file of another log",
    "a missing file",
    "a file twice",
];

/// Damages files at random; says how. `other` is another log.
pub(crate) fn damage(random: &mut Random, files: &mut Files, other: &Files) -> usize {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = &names[pick(random, names.len())];
    let second = &names[pick(random, names.len())];
    let kind = pick(random, DAMAGES.len());
    let bytes = files.get_mut(name).unwrap();
    // Mostly where something is.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let limit = if random.below(8) == 0 { bytes.len() } else { used + 64 };
    let limit = limit.min(bytes.len()).max(1);
    let place = pick(random, limit).min(bytes.len().saturating_sub(1));
    let sector = place / SECTOR * SECTOR;
    let sector = sector..(sector + SECTOR).min(bytes.len());
    match kind {
        0 => {
            for _ in 0..=random.below(4) {
                flip(bytes, pick(random, 8 * limit));
            }
        }
        1 => {
            for _ in 0..=random.below(8) {
                bytes[pick(random, limit).min(place.max(1) * 2) % limit] = noise(random);
            }
        }
        2 => {
            let end = (place + 1 + pick(random, 64)).min(bytes.len());
            bytes[place..end].fill_with(|| noise(random));
        }
        3 => bytes[sector].fill_with(|| noise(random)),
        4 => {
            let end = (sector.start + SECTOR * (1 + pick(random, 4))).min(bytes.len());
            bytes[sector.start..end].fill(0);
        }
        5 => bytes.truncate(place),
        6 => bytes.resize(bytes.len() + 1 + pick(random, 5000), 0),
        7 | 8 => {
            let from = pick(random, limit) / SECTOR * SECTOR;
            let from = from..(from + SECTOR).min(bytes.len());
            let (a, b) = (bytes[from.clone()].to_vec(), bytes[sector.clone()].to_vec());
            overwrite(bytes, sector.start, &a);
            if kind == 8 {
                overwrite(bytes, from.start, &b);
            }
        }
        9 => {
            let from = &files[second];
            let start = pick(random, from.len().max(1)) / SECTOR * SECTOR;
            let copy = from[start..(start + SECTOR).min(from.len())].to_vec();
            let same_place = random.below(2) == 0;
            let to = if same_place { start } else { sector.start };
            overwrite(files.get_mut(name).unwrap(), to, &copy);
        }
        10 => {
            let (a, b) = (files[name].clone(), files[second].clone());
            files.insert(name.clone(), b);
            files.insert(second.clone(), a);
        }
        11 => {
            let foreign = other.values().nth(pick(random, other.len())).unwrap();
            files.insert(name.clone(), other.get(name).unwrap_or(foreign).clone());
        }
        12 => drop(files.remove(name)),
        _ => {
            let copy = files[name].clone();
            let number = format!("{:020}", 1 + random.below(200));
            files.insert(format!("{number}{}", &name[20..]), copy);
        }
    }
    kind
}

fn noise(random: &mut Random) -> u8 {
    random.bits().to_le_bytes()[0]
}

pub(crate) fn flip(bytes: &mut [u8], bit: usize) {
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Writes as far as there is a file.
fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    let Some(target) = bytes.get_mut(at..) else { return };
    let len = target.len().min(new.len());
    target[..len].copy_from_slice(&new[..len]);
}

/// Runs jobs on all processors, each of which has something of its own; says now and then how
/// many are done.
pub(crate) fn in_parallel<T>(
    what: &str,
    jobs: usize,
    own: impl Fn() -> T + Sync,
    run: impl Fn(&mut T, usize) + Sync,
) {
    let (next, cores) = (AtomicUsize::new(0), thread::available_parallelism().unwrap().get());
    let step = jobs.div_ceil(10).max(1);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut own = own();
                loop {
                    // Relaxed: only uniqueness counts.
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return;
                    }
                    run(&mut own, job);
                    if (job + 1).is_multiple_of(step) {
                        println!("{what}: {} of {jobs}", job + 1);
                    }
                }
            });
        }
    });
}

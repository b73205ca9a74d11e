//! What a log that is there already costs: opening it, reading it, keeping it.
//!
//! Each system gets the same log, of streams with 1,000 events each that lie scattered over all of
//! it. Everything is warm: it was written and read just before.

use std::{
    fs, io,
    ops::ControlFlow,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use annals_bench::{BATCH, BenchError, Progress, Random, Scratch, Shape, Spread, float, per, wide};

use crate::{
    append::{Append, Stream, Written, stamped},
    callers,
    plan::{PAUSE, Plan},
    system::{Address, Failure, Peer, Role, System},
    trouble::{Trouble, guarded},
    verify,
    writing::open_new,
};

/// How many events a stream has.
pub(crate) const STREAM_EVENTS: u64 = 1000;

/// What one system gave.
#[derive(Debug)]
pub(crate) struct ReadingRow {
    pub(crate) peer: &'static Peer,
    /// What all files of the log take on disk. `None`: there are none.
    pub(crate) bytes_per_event: Option<f64>,
    /// Of each round.
    pub(crate) runs: Vec<Reading>,
    pub(crate) troubles: Vec<Trouble>,
}

/// What one round gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// Milliseconds until the log was open. `None`: it is not on disk.
    pub(crate) open_ms: Option<f64>,
    /// The whole log.
    pub(crate) events_per_second: f64,
    /// A whole stream.
    pub(crate) stream_micros: f64,
    /// One event.
    pub(crate) event_micros: f64,
}

/// What is shown of readings.
pub(crate) const MEASURES: [Measure; 4] = [
    Measure { name: "start-up, ms", slug: "open", is_rate: false, of: |r| r.open_ms },
    Measure {
        name: "whole log, events/s",
        slug: "scan",
        is_rate: true,
        of: |r| Some(r.events_per_second),
    },
    Measure {
        name: "a stream of 1,000 events, us",
        slug: "stream",
        is_rate: false,
        of: |r| Some(r.stream_micros),
    },
    Measure {
        name: "one event at random, us",
        slug: "event",
        is_rate: false,
        of: |r| Some(r.event_micros),
    },
];

/// One of the things that a reading says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) slug: &'static str,
    /// Whether more is better.
    pub(crate) is_rate: bool,
    pub(crate) of: fn(&Reading) -> Option<f64>,
}

impl ReadingRow {
    pub(crate) fn value(&self, measure: &Measure) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(measure.of))
    }
}

/// The systems that are read: not those that only append in another way.
pub(crate) fn admitted(peers: &[&'static Peer]) -> Vec<&'static Peer> {
    peers.iter().copied().filter(|peer| !matches!(peer.role, Role::Way(_))).collect()
}

/// How many steps there are.
pub(crate) fn steps(peers: &[&'static Peer], plan: &Plan) -> u64 {
    wide(admitted(peers).len()) * (u64::from(plan.rounds) + 1)
}

/// Fills a log for each system and reads it as often as planned.
pub(crate) fn run(
    peers: &[&'static Peer],
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<ReadingRow>, BenchError> {
    let mut all = Vec::new();
    for peer in admitted(peers) {
        progress.now(&format!("filling a log: {}", peer.name));
        let path = scratch.path(&format!("filled-{}", peer.name));
        let log = guarded(|| Log::fill(peer, &path, plan.events));
        let row =
            ReadingRow { peer, bytes_per_event: None, runs: Vec::new(), troubles: Vec::new() };
        all.push((row, path, log));
        std::thread::sleep(PAUSE);
        progress.done();
    }
    for round in 0..plan.rounds {
        for (row, _, log) in &mut all {
            progress.now(&format!("reading: {}", row.peer.name));
            row.take(log, plan, round);
            progress.done();
        }
    }
    let mut rows = Vec::new();
    for (row, path, log) in all {
        drop(log);
        fs::remove_dir_all(path)
            .map_err(|source| BenchError::Io { action: "remove a log", source })?;
        rows.push(row);
    }
    Ok(rows)
}

impl ReadingRow {
    fn take(&mut self, log: &Result<Log, Trouble>, plan: &Plan, round: u32) {
        let result = match log {
            Ok(log) => guarded(|| log.read(self.peer, plan, round)),
            Err(trouble) => Err(trouble.clone()),
        };
        match result {
            Ok(reading) => self.runs.push(reading),
            Err(trouble) => self.troubles.push(trouble),
        }
        if let Ok(log) = log {
            self.bytes_per_event =
                log.bytes.map(|bytes| per(float(bytes), log.streams * STREAM_EVENTS));
        }
    }
}

/// A log that was filled.
struct Log {
    streams: u64,
    /// What its files take on disk after it was closed.
    bytes: Option<u64>,
    place: Place,
}

enum Place {
    Disk(PathBuf),
    Memory(Box<dyn System>),
}

impl Log {
    /// Appends 100 events to as many streams at a time, over all streams in turn.
    fn fill(peer: &Peer, path: &Path, events: u64) -> Result<Self, Trouble> {
        let streams = events / STREAM_EVENTS;
        let system = open_new(peer, path)?;
        let mut appends = appends(streams);
        let turns = wide(appends.len()) * STREAM_EVENTS;
        let mut turn = 0;
        callers::fill(&*system, || {
            let index = usize::try_from(turn).unwrap_or(0) % appends.len().max(1);
            let append = appends.get_mut(index).filter(|_| turn < turns)?;
            turn += 1;
            let now = append.clone();
            append.acknowledge();
            Some(now)
        })?;
        let written: Written = (1..=streams).map(|n| (number(n), STREAM_EVENTS)).collect();
        if peer.role == Role::Memory {
            verify::holds(&*system, &written)?;
            return Ok(Self { streams, bytes: None, place: Place::Memory(system) });
        }
        system.close()?;
        let bytes = allocated(path).map_err(Failure::from)?;
        let system = (peer.open)(path)?;
        verify::holds(&*system, &written)?;
        system.close()?;
        Ok(Self { streams, bytes: Some(bytes), place: Place::Disk(path.to_owned()) })
    }

    fn read(&self, peer: &Peer, plan: &Plan, round: u32) -> Result<Reading, Trouble> {
        match &self.place {
            Place::Memory(system) => self.read_open(&**system, None, plan, round),
            Place::Disk(path) => {
                let begin = Instant::now();
                let system = (peer.open)(path)?;
                let took = begin.elapsed();
                let reading = self.read_open(&*system, Some(took), plan, round);
                system.close()?;
                reading
            }
        }
    }

    fn read_open(
        &self,
        system: &dyn System,
        open: Option<Duration>,
        plan: &Plan,
        round: u32,
    ) -> Result<Reading, Trouble> {
        let mut random = Random::new(u64::from(round));
        // Each first once without counting: it was opened just now.
        scan(system, plan.reading / 4)?;
        let events_per_second = scan(system, plan.reading)?;
        let mut stream = || self.read_stream(system, &mut random);
        repeat(&mut stream, plan.reading / 4)?;
        let stream_micros = repeat(&mut stream, plan.reading)?;
        let mut random = Random::new(u64::from(round));
        let mut event = || self.read_event(system, &mut random);
        repeat(&mut event, plan.reading / 4)?;
        let event_micros = repeat(&mut event, plan.reading)?;
        let open_ms = open.map(|took| took.as_secs_f64() * 1e3);
        Ok(Reading { open_ms, events_per_second, stream_micros, event_micros })
    }

    fn read_stream(&self, system: &dyn System, random: &mut Random) -> Result<(), Trouble> {
        let stream = Stream::new(number(1 + random.below(self.streams)));
        let mut found = 0;
        system.read_stream(&stream, &mut |payload| {
            found += 1;
            std::hint::black_box(payload);
            ControlFlow::Continue(())
        })?;
        if found == STREAM_EVENTS {
            return Ok(());
        }
        Err(Trouble::Lost(format!("{} has {STREAM_EVENTS} events, {found} were read", stream.name)))
    }

    fn read_event(&self, system: &dyn System, random: &mut Random) -> Result<(), Trouble> {
        let index = random.below(self.streams);
        let version = 1 + random.below(STREAM_EVENTS);
        let stream = Stream::new(number(1 + index));
        let position = (version - 1) * self.streams + index + 1;
        let mut found = None;
        let address = Address { stream: &stream, version, position };
        system.read_one(&address, &mut |payload| {
            found = stamped(payload);
            ControlFlow::Break(())
        })?;
        if found == Some((stream.number, version)) {
            return Ok(());
        }
        let what = format!("event {version} of {} was wanted, {found:?} was read", stream.name);
        Err(Trouble::Lost(what))
    }
}

/// Requests with an event for each of 100 streams, for all streams.
fn appends(streams: u64) -> Vec<Append> {
    let all: Vec<Stream> = (1..=streams).map(|n| Stream::new(number(n))).collect();
    let mut random = Random::new(0);
    let append = |streams: &[Stream]| {
        let shape = Shape { name: "fill", events: streams.len(), streams: streams.len() };
        Append::new(&shape, streams.to_vec(), &mut random)
    };
    all.chunks(BATCH.events).map(append).collect()
}

fn number(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads the whole log again and again for a while; returns how many events in a second.
fn scan(system: &dyn System, length: Duration) -> Result<f64, Trouble> {
    let begin = Instant::now();
    let mut count = 0_u64;
    while begin.elapsed() < length {
        system.read_all(&mut |payload| {
            std::hint::black_box(payload);
            count += 1;
            // Not each time: it takes as long as reading an event.
            if count.is_multiple_of(1024) && begin.elapsed() >= length {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
    }
    Ok(float(count) / begin.elapsed().as_secs_f64())
}

/// Reads again and again for a while; returns microseconds of one time.
fn repeat(read: &mut dyn FnMut() -> Result<(), Trouble>, length: Duration) -> Result<f64, Trouble> {
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < length {
        read()?;
        count += 1;
    }
    Ok(per(begin.elapsed().as_secs_f64() * 1e6, count))
}

/// What the files of a directory and those below it take on disk.
fn allocated(path: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { allocated(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_opens_reads_and_holds_the_same_log() {
        let plan = Plan { rounds: 1, events: 4_000, ..Plan::quick() };
        for peer in crate::systems::ALL {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("log");
            let log = Log::fill(peer, &path, plan.events);
            let log = log.unwrap_or_else(|trouble| panic!("{}: {trouble}", peer.name));
            let reading = log.read(peer, &plan, 0);
            let reading = reading.unwrap_or_else(|trouble| panic!("{}: {trouble}", peer.name));
            assert!(reading.events_per_second > 0.0, "{}", peer.name);
            assert_eq!(reading.open_ms.is_none(), peer.role == Role::Memory, "{}", peer.name);
        }
    }

    #[test]
    fn a_file_in_a_directory_below_counts() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("file"), vec![1; 10_000]).unwrap();
        // Some file systems only allocate when they write back.
        fs::File::open(below.join("file")).unwrap().sync_all().unwrap();
        assert!(allocated(directory.path()).unwrap() >= 10_000);
    }
}

//! What many callers did and were told, and whether one of them at a time could have done it.
//!
//! To find an order that explains a history is hard in general. Here the log *is* the order, so
//! one look at each event and each answer decides (strict serializability, with the positions
//! that the store tells as witnesses):
//!
//! 1. The log is dense: positions, and the versions of each stream. Each command is in it once, in
//!    one piece, with all its events; nobody else is.
//! 2. Each commit read every stream as it was just before, also those that it did not write to.
//! 3. Each answer is true: a commit is where it was said to be; what was refused is nowhere; a
//!    decision without events saw every stream as it was at its position; a conflict or a
//!    rejection saw something that was true at some moment of its time.
//! 4. The order is that of time: whoever began after another was answered comes later in the log,
//!    and saw no less.
//!
//! Time is counted, not measured: each beginning and each answer takes the next number.

use std::{
    cmp::Ordering::{Equal, Greater, Less},
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Where a stream stands among the streams of a history.
pub(crate) type Stream = usize;

/// A command, as its caller saw it.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) began: u64,
    pub(crate) answered: u64,
    /// Every stream that it was decided on, and the version that was seen.
    pub(crate) read: Vec<(Stream, u64)>,
    /// The streams of the events that it wanted to append, in order.
    pub(crate) wrote: Vec<Stream>,
    pub(crate) answer: Answer,
}

/// What its caller was told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Appended from this position on; the streams it wrote to have these versions.
    Committed { first: u64, versions: Vec<(Stream, u64)> },
    /// Decided at this position that there is nothing to append.
    Decided(u64),
    /// Rejected for what it read.
    Rejected,
    /// Refused: a stream was expected at a version and had another.
    Conflict { stream: Stream, expected: u64, actual: u64 },
    /// Nothing: it may be there, whole, or not.
    Unknown,
}

/// An event of the log.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The number of its command.
    pub(crate) command: usize,
    pub(crate) position: u64,
    pub(crate) stream: Stream,
    pub(crate) version: u64,
}

/// Counts time.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn tick(&self) -> u64 {
        // SeqCst: numbers are in the order of time for every thread.
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What no store that does one thing after the other would have done; of a command by number, or
/// at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anomaly {
    /// Positions are not 1, 2, 3, ...
    PositionGap(u64),
    /// Versions of a stream are not 1, 2, 3, ...
    VersionGap(u64),
    /// An event of nobody's command.
    Invented(u64),
    /// A command's events are not one after the other, or there twice.
    Scattered(usize),
    /// Only some of a command's events are there, or others.
    Partial(usize),
    /// It was told to have happened, and is not in the log.
    Lost(usize),
    /// It was told not to have happened, and is in the log.
    Risen(usize),
    /// It is elsewhere in the log, or at other versions, than was told.
    Misplaced(usize),
    /// It wrote to a stream that had moved since it was read.
    LostUpdate(usize),
    /// A stream that it only read had moved.
    WriteSkew(usize),
    /// It read what came after it, or what was never there.
    ReadAhead(usize),
    /// It decided on what was half of another command.
    SawHalf(usize),
    /// It decided on streams that were never like this together, at the position that was told.
    NeverSo(usize),
    /// It began after another was answered, and comes before it in the log.
    OutOfTime(usize),
    /// It saw less than was acknowledged before it began.
    Stale(usize),
    /// It saw what began only after it was answered.
    Foresight(usize),
    /// What it was refused for was not so at any moment of its time.
    Unjustified(usize),
}

/// A commit as it is in the log.
#[derive(Debug, Clone, Copy)]
struct Commit {
    command: usize,
    first: u64,
    last: u64,
}

/// When a version of a stream came: between the beginning and the answer of a command.
#[derive(Debug, Clone, Copy)]
struct Came {
    began: u64,
    answered: u64,
}

/// Whether what the callers were told and the log can be explained by one command at a time.
pub(crate) fn check(commands: &[Command], log: &[Event]) -> Result<(), Anomaly> {
    let mut checker = Checker::new(commands, log)?;
    checker.follow_the_log(log)?;
    checker.hold_answers_to_the_log()?;
    checker.hold_decisions_to_the_log()?;
    checker.hold_order_to_time()
}

struct Checker<'a> {
    commands: &'a [Command],
    commits: Vec<Commit>,
    /// By command: its place among the commits.
    place: Vec<Option<usize>>,
    /// By stream, by version from 1 on: where and when it came.
    came: BTreeMap<Stream, Vec<(u64, Came)>>,
}

impl<'a> Checker<'a> {
    /// Finds the commits.
    fn new(commands: &'a [Command], log: &[Event]) -> Result<Self, Anomaly> {
        let (mut commits, mut place) = (Vec::new(), vec![None; commands.len()]);
        for events in log.chunk_by(|a, b| a.command == b.command) {
            let Event { command, position: first, .. } = events[0];
            let known = commands.get(command).ok_or(Anomaly::Invented(first))?;
            if place[command].replace(commits.len()).is_some() {
                return Err(Anomaly::Scattered(command));
            }
            if !events.iter().map(|event| event.stream).eq(known.wrote.iter().copied()) {
                return Err(Anomaly::Partial(command));
            }
            commits.push(Commit { command, first, last: events[events.len() - 1].position });
        }
        Ok(Self { commands, commits, place, came: BTreeMap::new() })
    }

    /// The log is dense, and each commit follows what it read.
    fn follow_the_log(&mut self, log: &[Event]) -> Result<(), Anomaly> {
        let mut rest = log;
        for commit in &self.commits {
            let command = &self.commands[commit.command];
            let (events, behind) = rest.split_at(command.wrote.len());
            rest = behind;
            for (stream, seen) in &command.read {
                let version = self.came.get(stream).map_or(0, |came| count(came));
                let was_written = command.wrote.contains(stream);
                match seen.cmp(&version) {
                    Equal => {}
                    Greater => return Err(Anomaly::ReadAhead(commit.command)),
                    Less if was_written => return Err(Anomaly::LostUpdate(commit.command)),
                    Less => return Err(Anomaly::WriteSkew(commit.command)),
                }
            }
            let Command { began, answered, .. } = *command;
            for event in events {
                let came = self.came.entry(event.stream).or_default();
                came.push((event.position, Came { began, answered }));
                if count(came) != event.version {
                    return Err(Anomaly::VersionGap(event.position));
                }
            }
        }
        let gap = log.iter().zip(1..).find(|(event, position)| event.position != *position);
        gap.map_or(Ok(()), |(event, _)| Err(Anomaly::PositionGap(event.position)))
    }

    fn version_at(&self, stream: Stream, position: u64) -> u64 {
        let came = self.came.get(&stream).map_or(&[][..], Vec::as_slice);
        u64::try_from(came.partition_point(|(at, _)| *at <= position)).unwrap()
    }

    /// When a version of a stream came; version 0 was there from the beginning.
    fn came(&self, stream: Stream, version: u64) -> Option<Came> {
        let Some(index) = version.checked_sub(1) else {
            return Some(Came { began: 0, answered: 0 });
        };
        let came = self.came.get(&stream)?.get(usize::try_from(index).ok()?)?;
        Some(came.1)
    }

    /// Whether a stream may have been at a version at some moment of a command's time.
    fn was_at(&self, stream: Stream, version: u64, command: &Command) -> bool {
        let is_there = self.came(stream, version).is_some_and(|came| came.began < command.answered);
        let next = self.came(stream, version + 1);
        is_there && next.is_none_or(|next| next.answered > command.began)
    }

    fn hold_answers_to_the_log(&self) -> Result<(), Anomaly> {
        for (number, command) in self.commands.iter().enumerate() {
            let commit = self.place[number].map(|place| self.commits[place]);
            match (&command.answer, commit) {
                (Answer::Committed { .. }, None) => return Err(Anomaly::Lost(number)),
                (Answer::Committed { first, versions }, Some(commit)) => {
                    let is_at = |(stream, version): &(Stream, u64)| {
                        self.version_at(*stream, commit.last) == *version
                    };
                    if *first != commit.first || !versions.iter().all(is_at) {
                        return Err(Anomaly::Misplaced(number));
                    }
                }
                (Answer::Unknown, _) | (Answer::Decided(_), None) => {}
                (_, Some(_)) => return Err(Anomaly::Risen(number)),
                (Answer::Conflict { stream, expected, actual }, None) => {
                    if expected == actual || !self.was_at(*stream, *actual, command) {
                        return Err(Anomaly::Unjustified(number));
                    }
                }
                (Answer::Rejected, None) => {
                    let was_at =
                        |(stream, version): &(Stream, u64)| self.was_at(*stream, *version, command);
                    if !command.read.iter().all(was_at) {
                        return Err(Anomaly::Unjustified(number));
                    }
                }
            }
        }
        Ok(())
    }

    fn hold_decisions_to_the_log(&self) -> Result<(), Anomaly> {
        // By place among the commits: when the latest beginning up to there was.
        let began = self.commits.iter().scan(0, |latest, commit| {
            *latest = self.commands[commit.command].began.max(*latest);
            Some(*latest)
        });
        let began: Vec<u64> = began.collect();
        for (number, command) in self.commands.iter().enumerate() {
            let Answer::Decided(position) = command.answer else { continue };
            let seen = self.commits.partition_point(|commit| commit.first <= position);
            let last = seen.checked_sub(1).map(|place| (self.commits[place], began[place]));
            if last.map_or(0, |(commit, _)| commit.last) != position {
                return Err(Anomaly::SawHalf(number));
            }
            if last.is_some_and(|(_, began)| began > command.answered) {
                return Err(Anomaly::Foresight(number));
            }
            let is_so =
                |(stream, version): &(Stream, u64)| self.version_at(*stream, position) == *version;
            if !command.read.iter().all(is_so) {
                return Err(Anomaly::NeverSo(number));
            }
        }
        Ok(())
    }

    /// Goes through all commands in the order in which they began, with the highest position that
    /// was told by then.
    fn hold_order_to_time(&self) -> Result<(), Anomaly> {
        let position = |number: usize| match self.commands[number].answer {
            Answer::Decided(position) => Some(position),
            _ => self.place[number].map(|place| self.commits[place].last),
        };
        // Also of a command that was told nothing: it must not come up later.
        let told = (0..self.commands.len())
            .filter_map(|number| Some((self.commands[number].answered, position(number)?)));
        let mut told: Vec<(u64, u64)> = told.collect();
        told.sort_unstable();
        let mut order: Vec<usize> = (0..self.commands.len()).collect();
        order.sort_unstable_by_key(|number| self.commands[*number].began);
        let (mut told, mut highest) = (told.into_iter().peekable(), 0);
        for number in order {
            while let Some((_, position)) =
                told.next_if(|(answered, _)| *answered < self.commands[number].began)
            {
                highest = position.max(highest);
            }
            match (position(number), &self.commands[number].answer) {
                (Some(position), Answer::Decided(_)) if position < highest => {
                    return Err(Anomaly::Stale(number));
                }
                (Some(position), answer)
                    if position <= highest && !matches!(answer, Answer::Decided(_)) =>
                {
                    return Err(Anomaly::OutOfTime(number));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap()
}

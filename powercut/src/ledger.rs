//! What must, may and must not be in a store, and the checker that holds a store to it.
//!
//! The checker is the oracle of every crash state, so its tests show it lost, torn, doubled,
//! moved, altered, revived and invented commits.

use std::collections::BTreeMap;

use annals::{RecordedEvent, StreamId};

use crate::{
    note::Note,
    number::to_u64,
    request::{Request, label_of},
    shown::Shown,
    violation::Violation,
};

/// What is known of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It must be there, at this position, for ever.
    Acknowledged(u64),
    /// It may be missing; where it is there, it is at this position.
    Told(u64),
    /// It may be there, whole, or not.
    Unknown,
    /// It must not be there, ever.
    Refused,
}

#[derive(Debug, Clone)]
struct Entry {
    request: Request,
    fate: Fate,
    /// The last position that had been acknowledged when it was tried: it comes behind.
    floor: u64,
}

/// Every append that was tried, by number, and what became of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<u64, Entry>,
    /// The last acknowledged position.
    last: u64,
}

impl Ledger {
    /// A number that no append has yet.
    pub(crate) fn next_number(&self) -> u64 {
        self.entries.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// The appends that were tried, by number, and what became of them.
    #[cfg(test)]
    pub(crate) fn fates(&self) -> impl Iterator<Item = (u64, Fate)> {
        self.entries.iter().map(|(number, entry)| (*number, entry.fate))
    }

    /// Takes note.
    pub(crate) fn apply(&mut self, note: &Note) {
        match note {
            Note::Tried(request) => {
                let fate = Fate::Unknown;
                let entry = Entry { request: request.clone(), fate, floor: self.last };
                self.entries.insert(request.number, entry);
            }
            Note::Told { number, first } => self.decide(*number, Fate::Told(*first)),
            Note::Acknowledged { number, first } => {
                self.decide(*number, Fate::Acknowledged(*first));
            }
            Note::Refused { number } => self.decide(*number, Fate::Refused),
            Note::Found(found) => {
                for entry in self.entries.values_mut() {
                    entry.fate = Fate::Refused;
                }
                for (number, first) in found {
                    self.decide(*number, Fate::Acknowledged(*first));
                }
            }
            Note::Failed | Note::Healed | Note::PowerCut | Note::BusError | Note::Unreadable => {}
        }
    }

    fn decide(&mut self, number: u64, fate: Fate) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        // What was told becomes durable, and never the other way round.
        if matches!((entry.fate, fate), (Fate::Acknowledged(_), Fate::Told(_))) {
            return;
        }
        entry.fate = fate;
        if let Fate::Acknowledged(first) = fate {
            let events = to_u64(entry.request.events.len());
            self.last = self.last.max(first + events.saturating_sub(1));
        }
    }

    /// Where each append is, as number and position, if the store keeps its word.
    ///
    /// # Errors
    /// How it does not.
    pub(crate) fn compare(&self, shown: &Shown) -> Result<Vec<(u64, u64)>, Violation> {
        let found = self.compare_log(&shown.events)?;
        for (number, entry) in &self.entries {
            let is_there = found.contains_key(number);
            if matches!(entry.fate, Fate::Acknowledged(_)) && !is_there {
                return Err(Violation::Lost(*number));
            }
        }
        let is_backward = shown.backward.iter().rev().eq(shown.events.iter());
        if !is_backward || shown.position != to_u64(shown.events.len()) {
            return Err(Violation::WrongBackward);
        }
        compare_streams(shown)?;
        let mut found: Vec<(u64, u64)> = found.into_iter().collect();
        found.sort_unstable_by_key(|(_, first)| *first);
        Ok(found)
    }

    /// Commit after commit: each whole, once, in a place where it may be.
    fn compare_log(&self, events: &[RecordedEvent]) -> Result<BTreeMap<u64, u64>, Violation> {
        let mut found = BTreeMap::new();
        let (mut rest, mut position) = (events, 0);
        while let Some(event) = rest.first() {
            let at = event.position.get();
            let (number, _) = label_of(event).ok_or(Violation::Invented(at))?;
            let entry = self.entries.get(&number).ok_or(Violation::Invented(at))?;
            let (commit, behind) = rest
                .split_at_checked(entry.request.events.len())
                .ok_or(Violation::Partial(number))?;
            compare_commit(&entry.request, commit)?;
            entry.allows(at)?;
            for event in commit {
                position += 1;
                if event.position.get() != position {
                    return Err(Violation::Gap(event.position.get()));
                }
            }
            if found.insert(number, at).is_some() {
                return Err(Violation::Doubled(number));
            }
            rest = behind;
        }
        Ok(found)
    }
}

impl Entry {
    /// Whether the append may begin at this position.
    fn allows(&self, at: u64) -> Result<(), Violation> {
        let number = self.request.number;
        match self.fate {
            Fate::Refused => Err(Violation::Risen(number)),
            Fate::Acknowledged(first) | Fate::Told(first) if first != at => {
                Err(Violation::Moved(number))
            }
            Fate::Unknown if at <= self.floor => Err(Violation::OutOfOrder(number)),
            Fate::Acknowledged(_) | Fate::Told(_) | Fate::Unknown => Ok(()),
        }
    }
}

fn compare_commit(request: &Request, commit: &[RecordedEvent]) -> Result<(), Violation> {
    let number = request.number;
    let append = request.append()?;
    let time = commit.first().map(|event| event.time);
    for (index, (new, recorded)) in (0..).zip(append.events.iter().zip(commit)) {
        if label_of(recorded) != Some((number, index)) {
            return Err(Violation::Partial(number));
        }
        let is_same = recorded.stream == new.stream
            && recorded.event_type == new.event_type
            && recorded.payload == new.payload
            && recorded.metadata == new.metadata
            && recorded.tags == new.tags
            && new.id.is_none_or(|id| id == recorded.id)
            && Some(recorded.time) == time;
        if !is_same {
            return Err(Violation::Altered(number));
        }
    }
    Ok(())
}

/// Each stream is what the log has of it, with versions 1, 2, 3, and so on.
fn compare_streams(shown: &Shown) -> Result<(), Violation> {
    let mut streams: BTreeMap<&StreamId, Vec<&RecordedEvent>> = BTreeMap::new();
    for event in &shown.events {
        streams.entry(&event.stream).or_default().push(event);
    }
    let wrong = |stream: &StreamId| Err(Violation::WrongStream(stream.to_string()));
    for (stream, (version, events)) in &shown.streams {
        let expected = streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let is_dense = expected.iter().zip(1..).all(|(event, n)| event.version.get() == n);
        let is_said = *version == to_u64(expected.len());
        if !is_dense || !is_said || !events.iter().eq(expected.iter().copied()) {
            return wrong(stream);
        }
    }
    match streams.keys().find(|stream| !shown.streams.contains_key(**stream)) {
        Some(stream) => wrong(stream),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

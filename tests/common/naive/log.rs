//! A whole log: a directory of segments. Index images are derived, and not looked at.

use std::collections::BTreeMap;

use super::{
    commit::{Event, Head, commit},
    segment::{Frame, FrameKind, Header, HeaderFault, Verdict, frames, header},
};

/// The files of a directory.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A log as opening should find it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<Event>,
    /// Versions of the streams.
    pub(crate) streams: BTreeMap<String, u64>,
    pub(crate) is_torn: bool,
}

/// Why opening should refuse a log, with the events before.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    Corrupt(Log),
    Newer,
    Missing,
}

/// The log in a directory; `None`: there is none.
pub(crate) fn log(files: &Files) -> Option<Result<Log, Refusal>> {
    let mut segments: BTreeMap<u64, &[u8]> = BTreeMap::new();
    for (name, bytes) in files {
        if let Some(first) = first(name) {
            segments.insert(first, bytes);
        }
    }
    for (name, bytes) in files {
        // The renewal of its name was interrupted.
        if let Some(first) = name.strip_suffix(".moved").and_then(first) {
            segments.entry(first).or_insert(bytes);
        }
    }
    (!segments.is_empty()).then(|| read(&segments))
}

fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn read(segments: &BTreeMap<u64, &[u8]>) -> Result<Log, Refusal> {
    let mut log = Log::default();
    let mut before: Option<(&[u8], Header)> = None;
    for (first, segment) in segments {
        let header = match header(segment) {
            Ok(header) => header,
            Err(HeaderFault::Newer) => return Err(Refusal::Newer),
            Err(HeaderFault::Damaged) => return Err(Refusal::Corrupt(log)),
        };
        let is_here = header.first == *first
            && header.capacity <= 1 << 34
            && usize::try_from(header.capacity) == Ok(segment.len());
        let expected = before.map_or(1, |(_, before)| before.segment.saturating_add(1));
        let is_begin = before.is_some() || header.segment != 1 || (*first, header.chain) == (1, 0);
        let is_same = before.is_none_or(|(_, before)| before.log_id == header.log_id);
        if !is_here || !is_begin || !is_same {
            return Err(Refusal::Corrupt(log));
        }
        if header.segment > expected {
            return Err(Refusal::Missing);
        }
        if header.segment < expected {
            return Err(Refusal::Corrupt(log));
        }
        if let Some((segment, before)) = before {
            log.take(segment, &before, Some(&header))?;
        }
        before = Some((segment, header));
    }
    if let Some((segment, header)) = before {
        log.take(segment, &header, None)?;
    }
    Ok(log)
}

impl Log {
    /// Takes the commits of a segment, whose place among the others is right.
    fn take(
        &mut self,
        segment: &[u8],
        header: &Header,
        next: Option<&Header>,
    ) -> Result<(), Refusal> {
        let found = frames(segment, header);
        for frame in found.all.iter().filter(|frame| frame.kind == FrameKind::Commit) {
            if self.commit(segment, header, frame).is_none() {
                return Err(Refusal::Corrupt(self.clone()));
            }
        }
        if found.verdict == Verdict::Newer {
            return Err(Refusal::Newer);
        }
        let is_corrupt = match next {
            None => found.verdict == Verdict::Corrupt,
            Some(next) => !found.is_sealed || (next.first, next.chain) != (found.next, found.chain),
        };
        self.is_torn = next.is_none() && found.verdict == Verdict::Torn;
        if is_corrupt { Err(Refusal::Corrupt(self.clone())) } else { Ok(()) }
    }

    fn commit(&mut self, segment: &[u8], header: &Header, frame: &Frame) -> Option<()> {
        let head = Head {
            log_id: header.log_id,
            first: frame.first,
            count: frame.count,
            time: frame.time,
            stamps: &frame.stamps,
        };
        let (streams, events) = commit(&head, &segment[frame.body.clone()])?;
        let mut named: Vec<&str> = streams.iter().map(|(name, _)| name.as_str()).collect();
        named.sort_unstable();
        named.dedup();
        let version = |name: &String| self.streams.get(name).copied().unwrap_or_default();
        let goes_on = streams.iter().all(|(name, before)| version(name) == *before);
        if named.len() < streams.len() || !goes_on {
            return None;
        }
        for event in &events {
            self.streams.insert(event.stream.clone(), event.version);
        }
        self.events.extend(events);
        Some(())
    }
}

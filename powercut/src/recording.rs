//! What a disk was told, in order, with what the store above it was asked and answered.

use std::{collections::BTreeSet, fmt, fs, io, path::Path};

use crate::{
    bytes::{Taker, put, put_bytes},
    filesystem::Filesystem,
    image::Image,
    ledger::Ledger,
    note::Note,
    number::to_u64,
};

/// What happened to the disk or above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Bytes were written.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// Bytes were to be written, and the disk said that it failed: some of them may be there.
    Failed {
        /// Where, in bytes.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// Bytes were discarded, or zeroes written.
    Zero {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Everything written before is durable.
    Flush,
    /// Something was asked of the store, or it said something.
    Note(Note),
}

/// A workload, as the disk below it saw it.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) filesystem: Filesystem,
    /// The name of the workload.
    pub(crate) workload: String,
    /// What its random choices, and those of its crash states, follow from.
    pub(crate) seed: u64,
    /// How many random subsets of the unflushed sectors are made at each boundary.
    pub(crate) subsets: u64,
    /// How often the power was cut before it began.
    pub(crate) cuts: u64,
    /// The size of the store's segments in bytes.
    pub(crate) segment_bytes: u64,
    /// The disk before.
    pub(crate) base: Image,
    /// What was known before: notes of recordings that ended in a power cut.
    pub(crate) before: Vec<Note>,
    pub(crate) happenings: Vec<Happening>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seed) = (self.filesystem.name(), self.seed);
        write!(f, "Recording({} on {name}, seed {seed})", self.workload)
    }
}

/// How a kept recording begins.
const MAGIC: &[u8] = b"annals-powercut recording 1\n";

impl Recording {
    /// What must, may and must not be there if the power is cut after happening number `cut`, or
    /// later, but before the flush that is happening number `end`.
    ///
    /// Whatever is acknowledged before that flush is durable without it, so each state of the
    /// disk in between must have it; what is tried after `cut` and not acknowledged by then cannot
    /// be there.
    pub(crate) fn ledger(&self, cut: usize, end: usize) -> Ledger {
        let mut ledger = Ledger::default();
        self.notes(cut, end).for_each(|note| ledger.apply(note));
        ledger
    }

    /// The notes that [`Recording::ledger`] is made of.
    pub(crate) fn notes(&self, cut: usize, end: usize) -> impl Iterator<Item = &Note> {
        let notes = || {
            let happenings = self.happenings.iter().take(end).enumerate();
            happenings.filter_map(|(index, happening)| match happening {
                Happening::Note(note) => Some((index, note)),
                _ => None,
            })
        };
        let late = notes().skip_while(move |(index, _)| *index < cut);
        let acknowledged: BTreeSet<u64> = late
            .filter_map(|(_, note)| match note {
                Note::Acknowledged { number, .. } => Some(*number),
                _ => None,
            })
            .collect();
        let is_possible = move |(index, note): &(usize, &Note)| match note {
            Note::Tried(request) => *index < cut || acknowledged.contains(&request.number),
            _ => true,
        };
        let notes = notes().filter(is_possible).map(|(_, note)| note);
        self.before.iter().chain(notes)
    }

    /// How often a note was taken.
    pub(crate) fn count(&self, note: &Note) -> u64 {
        let is_it = |happening: &&Happening| matches!(happening, Happening::Note(n) if n == note);
        to_u64(self.happenings.iter().filter(is_it).count())
    }

    /// Keeps it in a file.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut out = MAGIC.to_vec();
        put_bytes(&mut out, self.filesystem.name().as_bytes());
        put_bytes(&mut out, self.workload.as_bytes());
        for number in [self.seed, self.subsets, self.cuts, self.segment_bytes] {
            put(&mut out, number);
        }
        self.base.put(&mut out);
        put(&mut out, to_u64(self.before.len()));
        self.before.iter().for_each(|note| note.put(&mut out));
        put(&mut out, to_u64(self.happenings.len()));
        self.happenings.iter().for_each(|happening| happening.put(&mut out));
        fs::write(path, out)
    }

    /// Takes it from a file.
    ///
    /// # Errors
    /// As the system says; `InvalidData` when it is no recording.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let recording =
            bytes.strip_prefix(MAGIC).and_then(|rest| Self::take(&mut Taker::new(rest)));
        recording.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no recording"))
    }

    fn take(taker: &mut Taker<'_>) -> Option<Self> {
        Some(Self {
            filesystem: Filesystem::by_name(&taker.text()?)?,
            workload: taker.text()?,
            seed: taker.number()?,
            subsets: taker.number()?,
            cuts: taker.number()?,
            segment_bytes: taker.number()?,
            base: Image::take(taker)?,
            before: taker.many(Note::take)?,
            happenings: taker.many(Happening::take)?,
        })
    }
}

impl Happening {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                put(out, 0);
                put(out, *offset);
                put_bytes(out, bytes);
            }
            Self::Zero { offset, len } => {
                put(out, 1);
                put(out, *offset);
                put(out, *len);
            }
            Self::Failed { offset, bytes } => {
                put(out, 4);
                put(out, *offset);
                put_bytes(out, bytes);
            }
            Self::Flush => put(out, 2),
            Self::Note(note) => {
                put(out, 3);
                note.put(out);
            }
        }
    }

    fn take(taker: &mut Taker<'_>) -> Option<Self> {
        Some(match taker.number()? {
            0 => Self::Write { offset: taker.number()?, bytes: taker.bytes()?.to_vec() },
            1 => Self::Zero { offset: taker.number()?, len: taker.number()? },
            2 => Self::Flush,
            3 => Self::Note(Note::take(taker)?),
            4 => Self::Failed { offset: taker.number()?, bytes: taker.bytes()?.to_vec() },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::Fate, request::Request};

    fn tried(number: u64) -> Happening {
        Happening::Note(Note::Tried(Request { number, events: vec![(0, 20)] }))
    }

    fn acknowledged(number: u64) -> Happening {
        Happening::Note(Note::Acknowledged { number, first: number })
    }

    pub(crate) fn recording(happenings: Vec<Happening>) -> Recording {
        Recording {
            filesystem: Filesystem::Ext4,
            workload: "test".to_owned(),
            seed: 1,
            subsets: 4,
            cuts: 0,
            segment_bytes: 8192,
            base: Image::new(1 << 20),
            before: Vec::new(),
            happenings,
        }
    }

    /// An acknowledgement counts for every state up to the next flush; what was only tried counts
    /// from then on.
    #[test]
    fn a_ledger_is_as_strict_as_the_moment_allows() {
        let recording = recording(vec![
            tried(1),
            Happening::Write { offset: 0, bytes: vec![1] },
            Happening::Flush,
            Happening::Write { offset: 1, bytes: vec![1] },
            acknowledged(1),
            tried(2),
            tried(3),
            acknowledged(3),
            Happening::Flush,
            acknowledged(2),
        ]);
        let fates = |cut, end| -> Vec<(u64, Fate)> { recording.ledger(cut, end).fates().collect() };
        assert_eq!(fates(0, 2), []);
        assert_eq!(fates(2, 2), [(1, Fate::Unknown)]);
        let (one, three) = ((1, Fate::Acknowledged(1)), (3, Fate::Acknowledged(3)));
        assert_eq!(fates(3, 8), [one, three], "3 was acknowledged without a flush");
        assert_eq!(fates(6, 8), [one, (2, Fate::Unknown), three]);
        assert_eq!(fates(9, 10), [one, (2, Fate::Acknowledged(2)), three]);
    }

    #[test]
    fn a_recording_is_kept_and_taken_again() {
        let mut recording = recording(vec![
            tried(1),
            Happening::Write { offset: 5, bytes: vec![1, 2] },
            Happening::Zero { offset: 512, len: 1024 },
            Happening::Failed { offset: 6, bytes: vec![3] },
            Happening::Flush,
        ]);
        recording.base.write(7, b"base");
        recording.before.push(Note::Found(vec![(9, 1)]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        recording.save(&path).unwrap();
        let taken = Recording::load(&path).unwrap();
        assert_eq!(taken.happenings, recording.happenings);
        assert_eq!(taken.base.digest(), recording.base.digest());
        assert_eq!((taken.before, taken.seed), (recording.before, recording.seed));
        fs::write(&path, b"something else").unwrap();
        assert_eq!(Recording::load(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

//! The disks that a power cut may leave behind, for each write and each flush of a recording.
//!
//! At each boundary: everything written so far, but for what the disk said had failed, and random
//! subsets of the sectors written since the last flush; only the filesystem's superblock is not
//! torn. What the last flush covered, and nothing else, is the state at that flush. A disk that
//! comes up again before the next flush is not made twice.

use std::collections::{HashSet, VecDeque};

use annals_sim::Random;

use crate::{
    image::{Image, PAGE_BYTES, SECTOR_BYTES},
    number::to_u64,
    recording::{Happening, Recording},
};

/// What of the unflushed writes a state has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// None: only what was flushed.
    Durable,
    /// All of them.
    Prefix,
    /// A random subset of sectors, or of whole writes: this one of those at its boundary.
    Subset(u64),
}

/// A disk that a power cut may leave behind.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Which of its recording's, from 0.
    pub(crate) number: u64,
    pub(crate) kept: Kept,
    /// It has nothing of this happening or of later ones.
    pub(crate) cut: usize,
    /// It is possible until this happening, a flush, comes.
    pub(crate) end: usize,
    pub(crate) image: Image,
}

/// Makes the states of a recording, one after the other: the same ones each time.
#[derive(Debug)]
pub(crate) struct States<'a> {
    recording: &'a Recording,
    prefix: Image,
    durable: Image,
    /// The writes since the last flush.
    pending: Vec<usize>,
    start: usize,
    next: usize,
    end: usize,
    count: u64,
    ready: VecDeque<State>,
    /// Digests of the states since the last flush.
    known: HashSet<u64>,
}

impl<'a> States<'a> {
    pub(crate) fn new(recording: &'a Recording) -> Self {
        Self::from(recording, 0)
    }

    /// Only those whose cut is this happening or a later one, and those at a flush.
    fn from(recording: &'a Recording, start: usize) -> Self {
        let mut states = Self {
            recording,
            start,
            prefix: recording.base.clone(),
            durable: recording.base.clone(),
            pending: Vec::new(),
            next: 0,
            end: 0,
            count: 0,
            ready: VecDeque::new(),
            known: HashSet::new(),
        };
        states.begin_epoch();
        states
    }

    /// From here to the next flush the same is durable.
    fn begin_epoch(&mut self) {
        let happenings = self.recording.happenings.iter().skip(self.next);
        let len = happenings.take_while(|happening| **happening != Happening::Flush).count();
        self.end = self.next + len;
        self.durable = self.prefix.clone();
        self.pending.clear();
        self.known.clear();
        self.add(Kept::Durable, self.prefix.clone());
    }

    fn add(&mut self, kept: Kept, image: Image) {
        if self.known.insert(image.digest()) {
            let (number, cut, end) = (self.count, self.next, self.end);
            self.count += 1;
            self.ready.push_back(State { number, kept, cut, end, image });
        }
    }

    /// Goes on to the next boundary, makes its states, and says whether there is one.
    fn advance(&mut self) -> bool {
        let Some(happening) = self.recording.happenings.get(self.next) else { return false };
        self.next += 1;
        match happening {
            Happening::Note(_) => {}
            Happening::Flush => self.begin_epoch(),
            Happening::Write { .. } | Happening::Zero { .. } | Happening::Failed { .. } => {
                apply(happening, &mut self.prefix);
                self.pending.push(self.next - 1);
                self.add_states();
            }
        }
        true
    }

    fn add_states(&mut self) {
        if self.next < self.start {
            return;
        }
        self.add(Kept::Prefix, self.prefix.clone());
        for number in 0..self.recording.subsets {
            let subset = self.subset(number, SECTOR_BYTES);
            self.add(Kept::Subset(number), subset);
        }
    }

    /// A random subset of what was not flushed: mostly of pieces of so many bytes, each with the
    /// same chance; sometimes of whole writes.
    fn subset(&self, number: u64, piece_bytes: usize) -> Image {
        let position = to_u64(self.next) << 8 | number;
        let mut random = Random::new(self.recording.seed ^ position.wrapping_mul(0x9e37_79b9));
        let eighths = match number % 4 {
            2 => 7,
            3 => 1,
            _ => 4,
        };
        let mut image = self.durable.clone();
        let happenings = &self.recording.happenings;
        let superblock = self.recording.filesystem.superblock();
        for happening in self.pending.iter().filter_map(|index| happenings.get(*index)) {
            let is_kept = random.below(8) < eighths;
            match happening {
                Happening::Write { offset, bytes } | Happening::Failed { offset, bytes }
                    if number % 4 != 1 =>
                {
                    let pieces = (*offset..).step_by(piece_bytes).zip(bytes.chunks(piece_bytes));
                    for (offset, bytes) in pieces {
                        let is_alone = !superblock.contains(&offset);
                        if if is_alone { random.below(8) < eighths } else { is_kept } {
                            image.write(offset, bytes);
                        }
                    }
                }
                whole if is_kept => apply(whole, &mut image),
                _ => {}
            }
        }
        image
    }
}

/// A state like this one, of which only whole blocks are missing: for filesystems that do not
/// outlive a torn block of their own. `None` if nothing is torn in it.
pub(crate) fn with_whole_blocks(recording: &Recording, state: &State) -> Option<State> {
    let Kept::Subset(number) = state.kept else { return None };
    let mut states = States::from(recording, state.cut + 1);
    while states.next < state.cut {
        states.advance();
    }
    Some(State { image: states.subset(number, PAGE_BYTES), ..state.clone() })
}

impl Iterator for States<'_> {
    type Item = State;

    fn next(&mut self) -> Option<State> {
        while self.ready.is_empty() {
            if !self.advance() {
                return None;
            }
        }
        self.ready.pop_front()
    }
}

fn apply(happening: &Happening, image: &mut Image) {
    match happening {
        Happening::Write { offset, bytes } => image.write(*offset, bytes),
        Happening::Zero { offset, len } => image.zero(*offset, *len),
        Happening::Failed { .. } | Happening::Flush | Happening::Note(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{filesystem::Filesystem, note::Note};

    fn recording(subsets: u64, happenings: Vec<Happening>) -> Recording {
        Recording {
            filesystem: Filesystem::Ext4,
            workload: "test".to_owned(),
            seed: 5,
            subsets,
            cuts: 0,
            segment_bytes: 8192,
            base: Image::new(1 << 20),
            before: Vec::new(),
            happenings,
        }
    }

    /// Behind the superblock.
    const START: u64 = 8192;

    fn write(offset: u64, len: usize) -> Happening {
        Happening::Write { offset: START + offset, bytes: vec![7; len] }
    }

    /// Which of the first four sectors are written.
    fn sectors(state: &State) -> Vec<u8> {
        (0..4).map(|sector| state.image.read(START + sector * 512, 1)[0]).collect()
    }

    #[test]
    fn prefixes_and_durable_states_follow_the_recording() {
        let recording = recording(
            0,
            vec![
                write(0, 512),
                Happening::Note(Note::Failed),
                write(512, 512),
                Happening::Flush,
                write(1024, 512),
                Happening::Zero { offset: START, len: 512 },
            ],
        );
        let states: Vec<_> = States::new(&recording).collect();
        let found: Vec<_> = states.iter().map(|s| (s.kept, s.cut, s.end, sectors(s))).collect();
        assert_eq!(
            found,
            [
                (Kept::Durable, 0, 3, vec![0, 0, 0, 0]),
                (Kept::Prefix, 1, 3, vec![7, 0, 0, 0]),
                (Kept::Prefix, 3, 3, vec![7, 7, 0, 0]),
                (Kept::Durable, 4, 6, vec![7, 7, 0, 0]),
                (Kept::Prefix, 5, 6, vec![7, 7, 7, 0]),
                (Kept::Prefix, 6, 6, vec![0, 7, 7, 0]),
            ]
        );
        assert!(states.iter().zip(0..).all(|(state, number)| state.number == number));
    }

    #[test]
    fn subsets_never_touch_what_was_flushed_and_reach_every_subset() {
        let happenings = vec![write(0, 512), Happening::Flush, write(512, 1536)];
        let recording = recording(200, happenings);
        let states: Vec<_> = States::new(&recording).filter(|state| state.cut == 3).collect();
        assert!(states.iter().all(|state| sectors(state)[0] == 7));
        // All of the three sectors, and each of their seven smaller subsets but the empty one,
        // which was the state at the flush.
        assert_eq!(states.len(), 7);
        let again: Vec<_> = States::new(&recording).filter(|state| state.cut == 3).collect();
        assert!(states.iter().zip(&again).all(|(a, b)| a.image.digest() == b.image.digest()));
    }

    #[test]
    fn a_torn_state_has_a_sibling_that_is_torn_between_blocks() {
        let recording = recording(20, vec![write(0, 512), Happening::Flush, write(4096, 8192)]);
        let torn = States::new(&recording).filter(|state| matches!(state.kept, Kept::Subset(_)));
        let whole: Vec<_> =
            torn.filter_map(|state| with_whole_blocks(&recording, &state)).collect();
        assert!(whole.len() >= 3);
        for state in &whole {
            assert_eq!(sectors(state)[0], 7, "it was flushed");
            for block in [1, 2] {
                let bytes = state.image.read(START + block * 4096, 4096);
                assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            }
        }
        let prefix = States::new(&recording).next().unwrap();
        assert!(with_whole_blocks(&recording, &prefix).is_none());
    }

    #[test]
    fn of_a_failed_write_some_may_be_there() {
        let bytes = vec![7; 512];
        let recording = recording(20, vec![Happening::Failed { offset: START, bytes }]);
        let states: Vec<_> = States::new(&recording).map(|s| (s.kept, sectors(&s)[0])).collect();
        assert_eq!(states.len(), 2);
        assert_eq!(states[0], (Kept::Durable, 0));
        assert!(matches!(states[1], (Kept::Subset(_), 7)));
    }

    #[test]
    fn a_superblock_is_never_torn() {
        let bytes = vec![7; 4096];
        let recording = recording(100, vec![Happening::Write { offset: 0, bytes }]);
        assert_eq!(States::new(&recording).count(), 2);
    }

    #[test]
    fn a_write_that_changes_nothing_makes_no_new_state() {
        let recording = recording(4, vec![write(0, 512), write(0, 512)]);
        assert_eq!(States::new(&recording).count(), 2);
    }
}

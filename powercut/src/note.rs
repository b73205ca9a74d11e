//! What the store was asked and what it answered, noted between the writes and flushes of the disk
//! below it.

use crate::{
    bytes::{Taker, put},
    number::to_u64,
    request::Request,
};

/// Something that was asked of the store, or that it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// From now on the append may be there.
    Tried(Request),
    /// It is acknowledged at this position, but not to outlive a power cut yet.
    Told {
        /// Which append.
        number: u64,
        /// The position of its first event.
        first: u64,
    },
    /// It is acknowledged for good, at this position.
    Acknowledged {
        /// Which append.
        number: u64,
        /// The position of its first event.
        first: u64,
    },
    /// It must never be there.
    Refused {
        /// Which append.
        number: u64,
    },
    /// The store was opened and showed these appends at these positions: they stay, and what was
    /// tried before and is not among them stays away.
    Found(Vec<(u64, u64)>),
    /// The disk below failed a request on purpose.
    Failed,
    /// The disk below works again.
    Healed,
    /// The power was cut.
    PowerCut,
    /// A signal ended the process: memory that is mapped could not be had.
    BusError,
    /// From now on the disk below reads nothing, on purpose.
    Unreadable,
}

impl Note {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let numbers = |out: &mut Vec<u8>, numbers: &[u64]| {
            for number in numbers {
                put(out, *number);
            }
        };
        match self {
            Self::Tried(request) => {
                put(out, 0);
                request.put(out);
            }
            Self::Told { number, first } => numbers(out, &[1, *number, *first]),
            Self::Acknowledged { number, first } => numbers(out, &[2, *number, *first]),
            Self::Refused { number } => numbers(out, &[3, *number]),
            Self::Found(found) => {
                numbers(out, &[4, to_u64(found.len())]);
                for (number, first) in found {
                    numbers(out, &[*number, *first]);
                }
            }
            Self::Failed => put(out, 5),
            Self::Healed => put(out, 6),
            Self::PowerCut => put(out, 7),
            Self::BusError => put(out, 8),
            Self::Unreadable => put(out, 9),
        }
    }

    pub(crate) fn take(taker: &mut Taker<'_>) -> Option<Self> {
        Some(match taker.number()? {
            0 => Self::Tried(Request::take(taker)?),
            1 => Self::Told { number: taker.number()?, first: taker.number()? },
            2 => Self::Acknowledged { number: taker.number()?, first: taker.number()? },
            3 => Self::Refused { number: taker.number()? },
            4 => Self::Found(taker.many(|taker| Some((taker.number()?, taker.number()?)))?),
            5 => Self::Failed,
            6 => Self::Healed,
            7 => Self::PowerCut,
            8 => Self::BusError,
            9 => Self::Unreadable,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_is_put_and_taken_again() {
        let notes = [
            Note::Tried(Request { number: 3, events: vec![(0, 16), (1, 900)] }),
            Note::Told { number: 3, first: 4 },
            Note::Acknowledged { number: 3, first: 4 },
            Note::Refused { number: 5 },
            Note::Found(vec![(3, 4), (6, 7)]),
            Note::Failed,
            Note::Healed,
            Note::PowerCut,
            Note::BusError,
            Note::Unreadable,
        ];
        let mut bytes = Vec::new();
        for note in &notes {
            note.put(&mut bytes);
        }
        let mut taker = Taker::new(&bytes);
        for note in notes {
            assert_eq!(Note::take(&mut taker), Some(note));
        }
        assert!(taker.is_empty());
    }
}

//! Many events in each append.

use super::{draw::random_of, end_state::EndState};

/// Appends of many events over some streams of their caller, each expected at its exact version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How many appends there are.
    pub appends: u64,
    /// How many callers. Append `n` is that of caller `n % callers`, which makes its own in turn.
    pub callers: u64,
    /// How many streams each caller has, which are those of each of its appends.
    pub streams: u64,
    /// How many events of each stream an append has.
    pub events_per_stream: u64,
    /// How long each payload is.
    pub payload_bytes: usize,
    /// Other seeds, other payloads.
    pub seed: u64,
}

/// What a caller appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchAppend {
    /// The streams.
    pub streams: Vec<String>,
    /// The version that each of them must have: how many events the caller appended to it before.
    pub version: u64,
    /// Index among the streams and payload, over the streams in turn. Letters and digits.
    pub events: Vec<(usize, String)>,
}

/// What nothing compresses much, and JSON leaves as it is.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Batch {
    /// Which caller makes an append.
    pub fn caller_of(&self, number: u64) -> u64 {
        number % self.callers
    }

    /// An append, by its number from 0.
    pub fn command(&self, number: u64) -> BatchAppend {
        let (caller, turn) = (self.caller_of(number), number / self.callers);
        let streams = (0..self.streams).map(|index| Self::stream(caller, index)).collect();
        let mut random = random_of(self.seed, number);
        let mut event = |_| {
            (0..self.streams).map(|index| (index, self.payload(random.next()))).collect::<Vec<_>>()
        };
        let events = (0..self.events_per_stream).flat_map(&mut event);
        let narrow = |index| usize::try_from(index).unwrap_or(usize::MAX);
        let events = events.map(|(index, payload)| (narrow(index), payload)).collect();
        BatchAppend { streams, version: turn * self.events_per_stream, events }
    }

    /// What a stream's value becomes with one more event. Another order makes another value.
    pub fn evolve(value: u64, payload: &[u8]) -> u64 {
        // FNV-1a (Fowler, Noll, Vo), begun with the value before.
        const PRIME: u64 = 0x0100_0000_01B3;
        payload.iter().fold(value ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
        })
    }

    fn stream(caller: u64, index: u64) -> String {
        format!("batch-{caller:04}-{index:02}")
    }

    /// Six bits of the seed for each letter, which is turned on for the next ones.
    fn payload(&self, mut seed: u64) -> String {
        let mut letter = || {
            let index = usize::try_from(seed & 63).unwrap_or_default();
            // An odd number, so that no two seeds become one.
            seed = seed.rotate_right(6).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            LETTERS.get(index).map_or('-', |letter| char::from(*letter))
        };
        (0..self.payload_bytes).map(|_| letter()).collect()
    }

    /// How streams end when these appends were carried out: checksums of their payloads.
    pub(super) fn end_state(&self, commands: impl Iterator<Item = u64>) -> EndState {
        let mut state = EndState::new();
        for number in commands {
            let BatchAppend { streams, events, .. } = self.command(number);
            for (index, payload) in events {
                if let Some(stream) = streams.get(index) {
                    state.evolve(stream, |value| Self::evolve(value, payload.as_bytes()));
                }
            }
        }
        state
    }
}

//! Which frames of mapped segments were checked lately: they need not be checked again.
//!
//! Written bytes never change, so a frame that was whole once stays whole, as far as memory and
//! disk keep what they hold. A table of fixed size for the whole log: a frame takes the place of
//! another one, which is then checked once more.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{address::Address, format::ALIGN, num::to_usize};

/// How many frames are remembered: a table of 512 KiB, made when the first is noted.
const FRAMES: u64 = 1 << 16;

/// Places of frames, each in the slot of its hash; 0 is no frame.
#[derive(Debug, Default)]
pub(crate) struct CheckedFrames(OnceLock<Box<[AtomicU64]>>);

impl CheckedFrames {
    /// Whether the frame at `address` was noted and its slot not taken since.
    #[inline]
    pub(crate) fn has(&self, address: Address) -> bool {
        let Some(key) = key(address) else { return false };
        let slot = self.0.get().and_then(|slots| slots.get(slot(key)));
        // Relaxed: the place alone is the message. Who has it sees the bytes, having seen that
        // they are written.
        slot.is_some_and(|slot| slot.load(Relaxed) == key)
    }

    /// Notes the frame at `address`.
    #[inline]
    pub(crate) fn put(&self, address: Address) {
        let slots = self.0.get_or_init(|| (0..FRAMES).map(|_| AtomicU64::new(0)).collect());
        if let Some(key) = key(address)
            && let Some(slot) = slots.get(slot(key))
        {
            slot.store(key, Relaxed);
        }
    }
}

/// Segment and offset as one number that is not 0. `None`: they are too large, or no frame's.
#[inline]
fn key(Address { segment, offset }: Address) -> Option<u64> {
    let segment = u32::try_from(segment).ok()?;
    let units = u32::try_from(offset / ALIGN).ok()?;
    let is_aligned = offset.is_multiple_of(ALIGN) && units > 0;
    is_aligned.then_some(u64::from(segment) << 32 | u64::from(units))
}

/// The slot of a key: neighbours and equal distances are scattered.
#[inline]
fn slot(key: u64) -> usize {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    to_usize(key.wrapping_mul(GOLDEN) >> (64 - FRAMES.trailing_zeros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_noted_is_known() {
        let checked = CheckedFrames::default();
        let all = || {
            let places = (4096..4096 + 64 * FRAMES).step_by(8);
            (1..4).flat_map(move |segment| places.clone().map(move |offset| (segment, offset)))
        };
        let is_noted = |(segment, offset): (u64, u64)| segment != 2 && offset.is_multiple_of(64);
        let at = |(segment, offset)| Address { segment, offset };
        assert!(all().all(|place| !checked.has(at(place))));
        for place in all().filter(|place| is_noted(*place)) {
            checked.put(at(place));
            assert!(checked.has(at(place)));
        }
        let known: Vec<_> = all().filter(|place| checked.has(at(*place))).collect();
        assert!(known.iter().all(|place| is_noted(*place)));
        let share = known.len() * 4 / to_usize(FRAMES);
        assert!(share > 1, "{} of {FRAMES}", known.len());
    }

    #[test]
    fn places_that_cannot_be_told_apart_are_not_known() {
        let checked = CheckedFrames::default();
        let (noted, far) = (1, 1 + (1 << 32));
        checked.put(Address { segment: noted, offset: 4096 });
        checked.put(Address { segment: far, offset: 8192 });
        for (segment, offset) in [(far, 4096), (noted, 8192), (far, 8192), (noted, 4100), (0, 0)] {
            assert!(!checked.has(Address { segment, offset }), "{segment} {offset}");
        }
        assert!(checked.has(Address { segment: noted, offset: 4096 }));
        // The last place of the largest segment.
        let last = Address { segment: noted, offset: (1 << 34) - 8 };
        checked.put(last);
        assert!(checked.has(last));
    }
}

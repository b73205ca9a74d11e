//! At which calls a store does not do what it should.

use std::ops::RangeInclusive;

/// Which calls: by their number, from 1, in the order in which they arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// These calls.
    Calls(RangeInclusive<u64>),
    /// Every so many calls: with 3 the third, the sixth, and so on. With 0 none.
    Every(u64),
    /// About one in so many, chosen by a seed: the same calls for the same seed. With 0 none.
    OneIn {
        /// In how many.
        calls: u64,
        /// What chooses them.
        seed: u64,
    },
}

impl From<u64> for At {
    fn from(call: u64) -> Self {
        Self::Calls(call..=call)
    }
}

impl From<RangeInclusive<u64>> for At {
    fn from(calls: RangeInclusive<u64>) -> Self {
        Self::Calls(calls)
    }
}

impl At {
    pub(crate) fn includes(&self, call: u64) -> bool {
        match self {
            Self::Calls(calls) => calls.contains(&call),
            Self::Every(0) | Self::OneIn { calls: 0, .. } => false,
            Self::Every(calls) => call.is_multiple_of(*calls),
            Self::OneIn { calls, seed } => mix(*seed ^ mix(call)).is_multiple_of(*calls),
        }
    }
}

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// What happens instead of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppendFault {
    Conflict,
    Refusal,
    LostAnswer,
}

/// At which calls a [`FaultStore`](crate::FaultStore) does not do what it should. Reads, appends
/// and settlements are counted apart; blocking calls and others together.
///
/// ```
/// use annals_testkit::{At, FaultPlan};
///
/// let plan = FaultPlan::new()
///     .conflict(1..=2)                                    // the first two appends
///     .lose_answer(5)                                     // the fifth is there, and nobody is told
///     .fail_reads(At::OneIn { calls: 100, seed: 7 });     // the same reads for the same seed
/// # assert_ne!(format!("{plan:?}"), "");
/// ```
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    appends: Vec<(At, AppendFault)>,
    reads: Vec<At>,
    settlements: Vec<At>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// These appends hear of a conflict, and nothing is appended. (An append without expectations
    /// cannot conflict, and goes through.)
    #[must_use]
    pub fn conflict(mut self, appends: impl Into<At>) -> Self {
        self.appends.push((appends.into(), AppendFault::Conflict));
        self
    }

    /// These appends fail, and nothing is appended.
    #[must_use]
    pub fn refuse(mut self, appends: impl Into<At>) -> Self {
        self.appends.push((appends.into(), AppendFault::Refusal));
        self
    }

    /// These appends happen, and who waits for them hears that their outcome is unknown.
    #[must_use]
    pub fn lose_answer(mut self, appends: impl Into<At>) -> Self {
        self.appends.push((appends.into(), AppendFault::LostAnswer));
        self
    }

    /// These reads fail.
    #[must_use]
    pub fn fail_reads(mut self, reads: impl Into<At>) -> Self {
        self.reads.push(reads.into());
        self
    }

    /// These settlements fail: what a rejection rests on may not be durable.
    #[must_use]
    pub fn fail_settlements(mut self, settlements: impl Into<At>) -> Self {
        self.settlements.push(settlements.into());
        self
    }

    pub(crate) fn of_append(&self, call: u64) -> Option<AppendFault> {
        let fault = self.appends.iter().find(|(at, _)| at.includes(call));
        fault.map(|(_, fault)| *fault)
    }

    pub(crate) fn of_read(&self, call: u64) -> bool {
        self.reads.iter().any(|at| at.includes(call))
    }

    pub(crate) fn of_settlement(&self, call: u64) -> bool {
        self.settlements.iter().any(|at| at.includes(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(at: &At) -> Vec<u64> {
        (1..=12).filter(|call| at.includes(*call)).collect()
    }

    #[test]
    fn calls_are_numbered_from_one() {
        assert_eq!(calls(&At::from(3)), [3]);
        assert_eq!(calls(&At::from(2..=4)), [2, 3, 4]);
        assert_eq!(calls(&At::Every(5)), [5, 10]);
        assert!(calls(&At::Every(0)).is_empty());
        assert!(calls(&At::OneIn { calls: 0, seed: 1 }).is_empty());
        assert_eq!(calls(&At::OneIn { calls: 1, seed: 1 }).len(), 12);
    }

    #[test]
    fn a_seed_chooses_the_same_calls_and_another_seed_others() {
        let chosen = |seed| -> Vec<u64> {
            let at = At::OneIn { calls: 10, seed };
            (1..=10_000).filter(|call| at.includes(*call)).collect()
        };
        assert_eq!(chosen(1), chosen(1));
        assert_ne!(chosen(1), chosen(2));
        assert!((900..1_100).contains(&chosen(1).len()), "{}", chosen(1).len());
    }

    #[test]
    fn the_first_that_was_said_counts() {
        let plan = FaultPlan::new().conflict(1).refuse(1..=2);
        let faults = [1, 2, 3].map(|call| plan.of_append(call));
        assert_eq!(faults, [Some(AppendFault::Conflict), Some(AppendFault::Refusal), None]);
    }
}

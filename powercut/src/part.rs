//! A part of what belongs before a release, for who has less time: the parts of a whole are
//! disjoint, and add up to it.

use std::{fmt, str::FromStr};

/// The `number`-th of `of` equal parts, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    number: u64,
    of: u64,
}

impl Part {
    /// How much of a whole it is. The first parts have one more where it does not divide.
    pub(crate) fn share(self, whole: u64) -> u64 {
        whole / self.of + u64::from(self.number <= whole % self.of)
    }

    /// What its random choices follow from: others than those of all other parts.
    pub(crate) fn seed(self, seed: u64) -> u64 {
        // A campaign takes the numbers that follow, one for each pass through the workloads.
        seed.wrapping_add(self.number << 32)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            Some(Self { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        let part = numbers.filter(|part| (1..=part.of).contains(&part.number));
        part.ok_or_else(|| "say K/N, with K from 1 to N, for example 3/50".to_owned())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn parts_add_up_to_the_whole_and_have_seeds_of_their_own() {
        for (whole, of) in [(1_000_000, 50), (20_000, 7), (3, 5)] {
            let parts: Vec<Part> =
                (1..=of).map(|number| format!("{number}/{of}").parse().unwrap()).collect();
            assert_eq!(parts.iter().map(|part| part.share(whole)).sum::<u64>(), whole);
            let seeds: BTreeSet<u64> = parts.iter().map(|part| part.seed(7) >> 32).collect();
            assert_eq!(seeds.len(), parts.len());
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "3", "0/5", "6/5", "a/5", "1/0", "1/-1"] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }
}

//! How streams end.

use std::{collections::BTreeMap, fmt::Write};

use sha2::{Digest, Sha256};

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// What its events amount to: cents, pieces, or a checksum.
    pub value: u64,
    /// How many events it has.
    pub version: u64,
}

/// How all streams with events end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndState(BTreeMap<String, Ending>);

impl EndState {
    /// As many as there are at first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how a stream ends. One without events does not count.
    pub fn set(&mut self, stream: &str, ending: Ending) {
        if ending.version > 0 {
            self.0.insert(stream.to_owned(), ending);
        }
    }

    /// Takes one more event of a stream into account, which may be its first.
    pub fn evolve(&mut self, stream: &str, evolve: impl FnOnce(u64) -> u64) {
        let ending = self.0.entry(stream.to_owned()).or_insert(Ending { value: 0, version: 0 });
        ending.value = evolve(ending.value);
        ending.version += 1;
    }

    /// How a stream ends, if it has events.
    pub fn get(&self, stream: &str) -> Option<Ending> {
        self.0.get(stream).copied()
    }

    /// All streams, in the order of their names.
    pub fn streams(&self) -> impl Iterator<Item = (&str, Ending)> {
        self.0.iter().map(|(stream, ending)| (stream.as_str(), *ending))
    }

    /// How many events there are.
    pub fn events(&self) -> u64 {
        self.0.values().map(|ending| ending.version).sum()
    }

    /// SHA-256 in hexadecimal digits: equal if and only if all streams end alike.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (stream, Ending { value, version }) in self.streams() {
            // A name could have any byte in it, so its length comes first.
            hasher.update(crate::number::wide(stream.len()).to_le_bytes());
            hasher.update(stream.as_bytes());
            hasher.update(value.to_le_bytes());
            hasher.update(version.to_le_bytes());
        }
        hasher.finalize().iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        })
    }

    /// The first stream that ends otherwise than in what was expected, for people.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        let tell = |ending: Option<Ending>| match ending {
            Some(Ending { value, version }) => format!("{value} after {version} events"),
            None => "no events".to_owned(),
        };
        let mut names = self.0.keys().chain(expected.0.keys()).collect::<Vec<_>>();
        names.sort_unstable();
        let stream = names.into_iter().find(|name| self.get(name) != expected.get(name))?;
        let (found, wanted) = (tell(self.get(stream)), tell(expected.get(stream)));
        Some(format!("{stream} has {found} instead of {wanted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(streams: &[(&str, u64, u64)]) -> EndState {
        let mut state = EndState::new();
        for (stream, value, version) in streams {
            state.set(stream, Ending { value: *value, version: *version });
        }
        state
    }

    #[test]
    fn whatever_differs_changes_the_digest_and_is_told() {
        let one = state(&[("a", 1, 1), ("b", 2, 3)]);
        assert_eq!(one.digest(), state(&[("b", 2, 3), ("a", 1, 1), ("c", 0, 0)]).digest());
        assert_eq!(one.digest().len(), 64);
        let others = [
            (state(&[("a", 1, 1)]), "b has no events instead of 2 after 3 events"),
            (state(&[("a", 2, 1), ("b", 2, 3)]), "a has 2 after 1 events instead of 1 after"),
            (state(&[("a", 1, 1), ("b", 2, 4)]), "b has 2 after 4 events"),
            (state(&[("a", 1, 1), ("ab", 0, 1), ("b", 2, 3)]), "ab has 0 after 1 events instead"),
        ];
        for (other, told) in others {
            assert_ne!(one.digest(), other.digest());
            let difference = other.difference(&one).unwrap();
            assert!(difference.contains(told), "{difference}");
        }
        assert_eq!(one.difference(&one), None);
    }
}

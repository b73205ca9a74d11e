//! The two orders: [`StreamVersion`] within a stream, [`Position`] within the log.

use std::fmt;

/// How many events a stream has. An empty stream is at version 0; its first event makes it 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamVersion(u64);

/// Where an event is in the log: 1 for the first, without gaps. 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

macro_rules! ordinal {
    ($name:ident) => {
        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);
            /// The largest there can be.
            pub const MAX: Self = Self(u64::MAX);

            /// From a number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// As a number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one `count` further on; stays at [`Self::MAX`] once there.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }

            /// The next one; stays at [`Self::MAX`] once there.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// The one before; stays at [`Self::ZERO`] once there.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

ordinal!(StreamVersion);
ordinal!(Position);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_hold() {
        assert_eq!(Position::MAX.next(), Position::MAX);
        assert_eq!(Position::ZERO.previous(), Position::ZERO);
        assert_eq!(StreamVersion::new(3).next(), StreamVersion::new(4));
    }
}

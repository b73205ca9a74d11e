//! What happens after a conflict.

use std::{fmt, sync::Arc, time::Duration};

use annals_event::Conflict;

type Hook = Arc<dyn Fn(&Retry<'_>) + Send + Sync>;

/// What happens when the streams of a command were not as it had read them. That is somebody
/// else's doing: commands of one executor queue for their streams.
#[derive(Clone)]
pub struct RetryPolicy {
    attempts_max: u32,
    backoff: Backoff,
    hook: Option<Hook>,
}

/// How long to wait before trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backoff {
    /// Not at all.
    None,
    /// Always this long.
    Fixed(Duration),
    /// After the first conflict not at all, then up to `first`, then up to twice as long each
    /// time, up to `max`; how long of that, between the half and the whole, is left to chance.
    Exponential {
        /// The longest after the second conflict.
        first: Duration,
        /// The longest ever.
        max: Duration,
    },
}

impl Default for Backoff {
    /// Exponential from 1 ms to 100 ms.
    fn default() -> Self {
        Self::Exponential { first: Duration::from_millis(1), max: Duration::from_millis(100) }
    }
}

/// An attempt that conflicted and is followed by another.
#[derive(Debug)]
#[non_exhaustive]
pub struct Retry<'a> {
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Every stream that was not as expected.
    pub conflicts: &'a [Conflict],
    /// How long it waits now.
    pub delay: Duration,
}

impl Default for RetryPolicy {
    /// At most ten attempts, with the default [`Backoff`].
    fn default() -> Self {
        Self { attempts_max: 10, backoff: Backoff::default(), hook: None }
    }
}

impl RetryPolicy {
    /// The default: at most ten attempts, with the default [`Backoff`].
    pub fn new() -> Self {
        Self::default()
    }

    /// At most this many attempts; at least one.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts.max(1);
        self
    }

    /// How long to wait in between.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Calls `hook` after each conflict that is followed by another attempt. A hook that panics is
    /// an error of the command.
    #[must_use]
    pub fn on_retry(mut self, hook: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts_max
    }

    pub(crate) fn delay(&self, attempt: u32, random: impl FnOnce() -> u64) -> Duration {
        self.backoff.delay(attempt, random)
    }

    pub(crate) fn tell(&self, retry: &Retry<'_>) {
        if let Some(hook) = &self.hook {
            hook(retry);
        }
    }
}

impl Backoff {
    /// How long to wait after this attempt, from 1.
    fn delay(self, attempt: u32, random: impl FnOnce() -> u64) -> Duration {
        let (first, max) = match self {
            Self::None => return Duration::ZERO,
            Self::Fixed(delay) => return delay,
            Self::Exponential { first, max } => (first, max),
        };
        let Some(doublings) = attempt.checked_sub(2) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let half = first.saturating_mul(factor).min(max) / 2;
        // In parts of 65,536: enough chance, and no number grows too large.
        let part = u32::try_from(random() % 65_536).unwrap_or_default();
        half + half.saturating_mul(part) / 65_536
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("attempts_max", &self.attempts_max)
            .field("backoff", &self.backoff)
            .field("has_hook", &self.hook.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn delays_grow_to_their_cap() {
        let backoff = Backoff::Exponential { first: millis(2), max: millis(50) };
        let longest = [1, 2, 3, 4, 5, 6, 7, 8, 40, u32::MAX].map(|attempt| {
            let shortest = backoff.delay(attempt, || 0);
            let longest = backoff.delay(attempt, || u64::MAX);
            assert!(shortest * 2 >= longest && shortest <= longest);
            (longest + Duration::from_micros(999)).as_millis()
        });
        assert_eq!(longest, [0, 2, 4, 8, 16, 32, 50, 50, 50, 50]);
        let forever = Backoff::Exponential { first: Duration::MAX, max: Duration::MAX };
        assert!(forever.delay(9, || u64::MAX) >= Duration::MAX / 2);
    }

    #[test]
    fn others_are_as_they_say() {
        assert_eq!(Backoff::None.delay(7, || 0), Duration::ZERO);
        assert_eq!(Backoff::Fixed(millis(3)).delay(7, || 0), millis(3));
    }
}

//! Commands that must not take for ever.

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use crate::{error::ExecuteError, timer::Sleep};

/// Whether a command may have happened, in case nobody waits for its end.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    is_appending: AtomicBool,
}

// Relaxed throughout: whoever asks has stopped the command before.
impl Stage {
    pub(crate) fn begins_to_append(&self) {
        self.is_appending.store(true, Ordering::Relaxed);
    }

    /// The append was answered; unless it has its place, nothing was appended.
    pub(crate) fn appended(&self, is_done: bool) {
        self.is_appending.store(is_done, Ordering::Relaxed);
    }

    pub(crate) fn timed_out<R, E>(&self) -> ExecuteError<R, E> {
        let is_outcome_unknown = self.is_appending.load(Ordering::Relaxed);
        ExecuteError::TimedOut { is_outcome_unknown }
    }
}

/// What a future gives, if it does so before the deadline.
pub(crate) async fn before<F: Future>(mut deadline: Sleep, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        deadline.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G25: only while an append is on its way, or after it has its place, may the command have happened.
    #[test]
    fn an_append_that_was_refused_did_not_happen() {
        let is_unknown = |stage: &Stage| {
            let error: ExecuteError<(), std::io::Error> = stage.timed_out();
            matches!(error, ExecuteError::TimedOut { is_outcome_unknown: true })
        };
        let stage = Stage::default();
        assert!(!is_unknown(&stage));
        stage.begins_to_append();
        assert!(is_unknown(&stage));
        stage.appended(false);
        assert!(!is_unknown(&stage));
        stage.begins_to_append();
        stage.appended(true);
        assert!(is_unknown(&stage));
    }
}

//! Appends that nobody waits for any more.
//!
//! A future that is dropped cannot call its append back. Whoever reads next waits until it has
//! ended, so that what is read does not change by something that seemed to be over.

use std::sync::Arc;

use annals_event::AppendFailure;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{error::StoreError, outcome::Answer};

/// Appends on their way that nobody waits for.
#[derive(Debug, Default)]
pub(crate) struct Abandoned(Mutex<Vec<oneshot::Receiver<Answer>>>);

impl Abandoned {
    /// Waits for those that are there now.
    pub(crate) async fn end(self: &Arc<Self>) {
        loop {
            let Some(answered) = self.0.lock().pop() else { return };
            drop(Waiting::new(answered, self.clone()).answer().await);
        }
    }
}

/// Waits for an append. Dropped early, it leaves the append to whoever reads next.
#[derive(Debug)]
pub(crate) struct Waiting {
    answered: Option<oneshot::Receiver<Answer>>,
    abandoned: Arc<Abandoned>,
}

impl Waiting {
    pub(crate) fn new(answered: oneshot::Receiver<Answer>, abandoned: Arc<Abandoned>) -> Self {
        Self { answered: Some(answered), abandoned }
    }

    pub(crate) async fn answer(mut self) -> Answer {
        let closed = || Err(AppendFailure::Store(StoreError::Closed));
        let Some(answered) = &mut self.answered else { return closed() };
        let answer = answered.await.unwrap_or_else(|_| closed());
        self.answered = None;
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.abandoned.0.lock().extend(self.answered.take());
    }
}

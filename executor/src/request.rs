//! A command with what goes along with it.

use std::time::Duration;

use annals_event::Metadata;

use crate::idempotency::IdempotencyKey;

/// A command with what goes along with it. A command alone will do where a request is asked for.
///
/// ```no_run
/// # use std::time::Duration;
/// # use annals_executor::{Command, Executor, IdempotencyKey, Request};
/// # use annals_event::{Metadata, Store};
/// # async fn f<C: Command, S: Store>(executor: Executor<S>, withdraw: C) {
/// let request = Request::new(&withdraw)
///     .key(IdempotencyKey::new("request-17"))
///     .metadata(&Metadata::new().actor("alice"))
///     .timeout(Duration::from_secs(2));
/// let executed = executor.execute(request).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Request<'c, C> {
    pub(crate) command: &'c C,
    pub(crate) metadata: Vec<u8>,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) timeout: Option<Duration>,
}

impl<'c, C> Request<'c, C> {
    /// A command, so far with nothing.
    pub fn new(command: &'c C) -> Self {
        Self { command, metadata: Vec::new(), key: None, timeout: None }
    }

    /// With metadata for each of its events.
    #[must_use]
    pub fn metadata(mut self, metadata: &Metadata) -> Self {
        self.metadata = metadata.encode();
        self
    }

    /// With a key: the same key again does nothing, and returns the first outcome, whichever
    /// command comes with it, also after the store was opened again.
    ///
    /// A key is known by the events that were appended with it. A command that was rejected, or
    /// had nothing to do, left none, and is decided again.
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Gives up after so long. The error says whether the outcome is unknown.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<'c, C> From<&'c C> for Request<'c, C> {
    fn from(command: &'c C) -> Self {
        Self::new(command)
    }
}

impl<C> Clone for Request<'_, C> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), ..*self }
    }
}

//! All events after a position, then every new one. Catching up and being live are one loop: read
//! up to the watermark, say so, wait for it to rise. So there is no gap between the two, and no
//! event is delivered twice.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use annals_event::{Direction, EventView, Filter, Position, RecordedEvent};

use crate::{error::ReadError, frames::malformed, inner::Inner, log_scan::LogScan};

/// What a subscription delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next event.
    Event(RecordedEvent),
    /// Everything up to this position was delivered, or did not pass the filter; what comes next
    /// is new. Said once whenever there is nothing to deliver.
    CaughtUp(Position),
}

/// What a subscription delivers that goes from commit to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitDelivery {
    /// The next events of one commit.
    Commit {
        /// The position of the commit's first event.
        first: Position,
        /// Those of its events that are not delivered yet and pass the filter: at least one.
        events: Vec<RecordedEvent>,
    },
    /// As [`Delivery::CaughtUp`].
    CaughtUp(Position),
}

/// Delivers the events of the log in order, for ever: in a thread with [`Subscription::recv`], in
/// a task with [`Subscription::next`].
#[derive(Debug)]
pub struct Subscription {
    inner: Arc<Inner>,
    scan: LogScan,
    ready: VecDeque<RecordedEvent>,
    /// The last position that `CaughtUp` was said of.
    said: Option<Position>,
}

impl Subscription {
    pub(crate) fn new(inner: &Arc<Inner>, after: Position, filter: Filter) -> Self {
        let scan = LogScan::new(inner, Direction::Forward, filter, after.next(), Position::ZERO);
        Self { inner: inner.clone(), scan, ready: VecDeque::new(), said: None }
    }

    /// What is there to deliver now. `None`: nothing, and that was said.
    ///
    /// # Errors
    /// [`ReadError`]; also when the store was closed or failed, and everything was delivered.
    pub fn try_recv(&mut self) -> Result<Option<Delivery>, ReadError> {
        let caught_up = self.fill()?.map(Delivery::CaughtUp);
        Ok(self.ready.pop_front().map_or(caught_up, |event| Some(Delivery::Event(event))))
    }

    /// As [`Subscription::try_recv`], a commit at a time.
    ///
    /// # Errors
    /// As [`Subscription::try_recv`].
    pub fn try_recv_commit(&mut self) -> Result<Option<CommitDelivery>, ReadError> {
        let caught_up = self.fill()?.map(CommitDelivery::CaughtUp);
        if self.ready.is_empty() {
            return Ok(caught_up);
        }
        let events = std::mem::take(&mut self.ready).into();
        Ok(Some(CommitDelivery::Commit { first: self.scan.commit(), events }))
    }

    /// Reads on until an event is ready. `Some`: there is none up to here, and that is new.
    fn fill(&mut self) -> Result<Option<Position>, ReadError> {
        while self.ready.is_empty() {
            // In this order: whoever closes or fails does so after the last rise.
            let end = self.end();
            self.scan.extend(self.inner.durable());
            if !self.scan.is_done() {
                self.read_frame()?;
                continue;
            }
            let position = self.scan.position().previous();
            if self.said == Some(position) {
                return end.map_or(Ok(None), Err);
            }
            self.said = Some(position);
            return Ok(Some(position));
        }
        Ok(None)
    }

    /// The next delivery; blocks until there is one.
    ///
    /// # Errors
    /// [`ReadError`]; also when the store was closed or failed, and everything was delivered.
    pub fn recv(&mut self) -> Result<Delivery, ReadError> {
        loop {
            let rise = self.inner.log.listen();
            if let Some(delivery) = self.try_recv()? {
                return Ok(delivery);
            }
            rise.wait();
        }
    }

    /// The next delivery; waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ReadError`]; also when the store was closed or failed, and everything was delivered.
    pub async fn next(&mut self) -> Result<Delivery, ReadError> {
        loop {
            let rise = self.inner.log.listen();
            if let Some(delivery) = self.try_recv()? {
                return Ok(delivery);
            }
            rise.await;
        }
    }

    /// As [`Subscription::next`], a commit at a time.
    ///
    /// # Errors
    /// As [`Subscription::next`].
    pub async fn next_commit(&mut self) -> Result<CommitDelivery, ReadError> {
        loop {
            let rise = self.inner.log.listen();
            if let Some(delivery) = self.try_recv_commit()? {
                return Ok(delivery);
            }
            rise.await;
        }
    }

    /// Why no more events will come, if so.
    fn end(&self) -> Option<ReadError> {
        let log = &self.inner.log;
        let failed = log.failure().map(ReadError::Poisoned);
        let ended = failed.or_else(|| log.is_closed().then_some(ReadError::Closed));
        // What is durable may be on its way into the index: who puts it there announces it.
        ended.filter(|_| self.inner.durable().get() >= log.durable())
    }

    fn read_frame(&mut self) -> Result<(), ReadError> {
        let (ready, mut failed) = (&mut self.ready, None);
        // The whole frame, even after an error: its events are delivered once.
        let read = self.scan.visit(1, &mut |event: &EventView<'_>| {
            match event.to_owned() {
                Ok(event) => ready.push_back(event),
                Err(source) => failed = Some(malformed(event.position, source)),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = read {
            // What came before the part that does not parse would come again with the next try.
            self.ready.clear();
            return Err(error);
        }
        failed.map_or(Ok(()), Err)
    }
}

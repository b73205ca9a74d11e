//! Events as they are read.

use std::{collections::VecDeque, ops::ControlFlow};

use annals_event::{EventView, RecordedEvent};

use crate::{error::ReadError, frames::malformed, log_scan::LogScan, stream_scan::StreamScan};

/// Events as they are read: an iterator of owned events, or, with [`Events::visit`], borrowed
/// ones. Ends after the first error.
#[derive(Debug)]
pub struct Events {
    scan: Scan,
    /// How many may still be shown.
    remaining: u64,
    /// Events of a frame that were read and not yet returned.
    ready: VecDeque<RecordedEvent>,
    /// What is told behind them.
    failed: Option<ReadError>,
}

#[derive(Debug)]
enum Scan {
    /// There are no more.
    Done,
    Stream(Box<StreamScan>),
    Log(Box<LogScan>),
}

impl Scan {
    /// Shows the events of the next frames, at most so many. `Break`: there are no more, or
    /// `visit` said so.
    fn visit(
        &mut self,
        frames_max: usize,
        visit: &mut impl FnMut(&EventView<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        match self {
            Self::Done => Ok(ControlFlow::Break(())),
            Self::Stream(scan) => scan.visit(frames_max, visit),
            Self::Log(scan) => scan.visit(frames_max, visit),
        }
    }
}

impl Events {
    pub(crate) fn of_stream(scan: Option<StreamScan>, limit: Option<u64>) -> Self {
        Self::new(scan.map_or(Scan::Done, |scan| Scan::Stream(Box::new(scan))), limit)
    }

    pub(crate) fn of_log(scan: LogScan, limit: Option<u64>) -> Self {
        Self::new(Scan::Log(Box::new(scan)), limit)
    }

    fn new(scan: Scan, limit: Option<u64>) -> Self {
        Self { scan, remaining: limit.unwrap_or(u64::MAX), ready: VecDeque::new(), failed: None }
    }

    /// Shows every event to `visit`, borrowed from where it lies: nothing is copied or allocated
    /// for it. `visit` may end the reading with `Break`.
    ///
    /// The fast way to read much: what is not needed is not copied, what is needed is a `to_owned`
    /// away.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use annals_engine::{Annals, Options};
    /// use annals_event::{Append, LogQuery, NewEvent, StreamId};
    ///
    /// let annals = Options::new().in_memory()?;
    /// let paid = |cents: u8| NewEvent::new(StreamId::new("account-1")?, "Paid", vec![cents]);
    /// annals.append(&Append::new().event(paid(3)?).event(paid(4)?)).wait()?;
    ///
    /// let mut sum = 0;
    /// annals.read_all(LogQuery::forward()).visit(|event| {
    ///     if event.event_type == "Paid" {
    ///         sum += u64::from(event.payload[0]);
    ///     }
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(sum, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Use it before the iterator, not after: events that the iterator read ahead are not shown.
    ///
    /// # Errors
    /// [`ReadError`]: the system, or bytes that are not what was written.
    pub fn visit(
        mut self,
        mut visit: impl FnMut(&EventView<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        while self.remaining > 0 {
            let remaining = &mut self.remaining;
            let flow = self.scan.visit(usize::MAX, &mut |event: &EventView<'_>| {
                *remaining -= 1;
                let flow = visit(event);
                if *remaining == 0 { ControlFlow::Break(()) } else { flow }
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads frames until an event is ready, or there are no more.
    fn fill(&mut self) -> Result<(), ReadError> {
        while self.ready.is_empty() && self.remaining > 0 {
            let (remaining, ready) = (&mut self.remaining, &mut self.ready);
            let mut failed = None;
            let flow = self.scan.visit(1, &mut |event: &EventView<'_>| {
                *remaining -= 1;
                match event.to_owned() {
                    Ok(event) => ready.push_back(event),
                    Err(source) => failed = Some(malformed(event.position, source)),
                }
                if *remaining == 0 || failed.is_some() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            if flow.is_break() {
                self.remaining = 0;
            }
        }
        Ok(())
    }
}

impl Iterator for Events {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            self.remaining = 0;
            self.scan = Scan::Done;
            self.failed = Some(error);
        }
        // What was read before the error comes before it.
        self.ready.pop_front().map(Ok).or_else(|| self.failed.take().map(Err))
    }
}

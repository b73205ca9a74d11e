//! From the body of a commit to views of its events. `docs/format.md`, "Commit body".
//!
//! The bytes come from disk and may be anything: nothing here panics, and nothing is allocated
//! by a length that was read.

use crate::{
    commit_events::Events, commit_head::CommitHead, commit_tables::Tables, limits,
    ordinal::StreamVersion, wire::Malformed,
};

/// The body of a commit with its tables read. One view serves commit after commit
/// ([`CommitView::read`]), so that a scan allocates once and not for every commit.
#[derive(Debug, Clone, Default)]
pub struct CommitView<'a> {
    head: CommitHead<'a>,
    tables: Tables<'a>,
    /// What follows the tables.
    events: &'a [u8],
    /// Where each event begins in `events`; only for reading backward.
    starts: Vec<usize>,
}

impl<'a> CommitView<'a> {
    /// A view that knows the name of a stream, and tells quickly which one of a commit has it.
    pub fn knowing(stream: &'a str) -> Self {
        Self { tables: Tables::knowing(stream), ..Self::default() }
    }

    /// Reads the tables of a body.
    ///
    /// # Errors
    /// The bytes are not the body of a commit with this head.
    pub fn parse(head: CommitHead<'a>, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut commit = Self::default();
        commit.read(head, body)?;
        Ok(commit)
    }

    /// As [`CommitView::parse`], in the place of the commit that was read before.
    ///
    /// # Errors
    /// As [`CommitView::parse`]; the view is then of no use until the next one is read.
    #[inline]
    pub fn read(&mut self, head: CommitHead<'a>, body: &'a [u8]) -> Result<(), Malformed> {
        // Who reads it backward notes where each of its events begins.
        if usize::try_from(head.events).is_ok_and(|events| events > limits::COMMIT_EVENTS_MAX) {
            return Err(Malformed("its number of events is impossible"));
        }
        self.head = head;
        self.events = self.tables.read(head.versions, body)?;
        Ok(())
    }

    /// The streams it writes to, each with its version before the commit.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = (&'a str, StreamVersion)> {
        self.tables.streams.iter().map(|stream| (stream.name, stream.before))
    }

    /// The number of the stream that the view knows, if the commit writes to it.
    pub fn known_stream(&self) -> Option<usize> {
        self.tables.known_stream
    }

    /// What the frame's head says.
    pub fn head(&self) -> CommitHead<'a> {
        self.head
    }

    /// Its events, in order. Ends after the first error.
    #[inline]
    pub fn events(&mut self) -> Events<'_, 'a> {
        self.tables.rewind();
        Events::forward(&mut self.tables, &self.head, self.events)
    }

    /// Its events, the last one first.
    ///
    /// # Errors
    /// One of the events is malformed.
    pub fn events_backward(&mut self) -> Result<Events<'_, 'a>, Malformed> {
        let mut starts = std::mem::take(&mut self.starts);
        starts.clear();
        self.events().walk(&mut starts)?;
        self.starts = starts;
        Ok(Events::backward(&mut self.tables, &self.head, self.events, &self.starts))
    }
}

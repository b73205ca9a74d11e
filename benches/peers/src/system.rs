//! What a system must do to be measured.

use std::{error::Error, future::Future, ops::ControlFlow, path::Path, pin::Pin};

use crate::append::{Append, Conflict, Stream};

/// Why a system did not do what it was asked, in its own words.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What came of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is on disk, if the system promises that.
    Committed,
    /// Nothing happened.
    Conflict(Vec<Conflict>),
}

/// Is shown the payload of each event that is read, and says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8]) -> ControlFlow<()> + 'a;

/// A system with an open log.
pub(crate) trait System: Send + Sync {
    /// One more caller. Callers append at the same time.
    fn caller(&self) -> Result<Caller, Failure>;

    /// Reads the whole log, in the order that the system has.
    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure>;

    /// Reads a stream from its beginning.
    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure>;

    /// Reads one event.
    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure>;

    /// Closes the log; callers are gone before.
    fn close(self: Box<Self>) -> Result<(), Failure>;
}

/// Where an event is: a system takes what suits it better.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(crate) stream: &'a Stream,
    /// The first one has 1.
    pub(crate) version: u64,
    /// Ordinal in the whole log, from 1 on.
    pub(crate) position: u64,
}

/// How a system is called.
pub(crate) enum Caller {
    /// From a thread that blocks.
    Thread(Box<dyn Blocking>),
    /// From a tokio task.
    Task(Box<dyn Awaiting>),
}

/// A thread that appends.
pub(crate) trait Blocking: Send {
    /// Returns when the append is durable, or the conflict is known. The append is the same
    /// afterwards.
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure>;
}

/// A task that appends.
pub(crate) trait Awaiting: Send {
    /// As [`Blocking::append`].
    fn append<'a>(&'a mut self, append: &'a Append) -> Appending<'a>;
}

/// An append on its way.
pub(crate) type Appending<'a> = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send + 'a>>;

/// A system that can be measured: how to open it, and what is to be known about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Opens a log in a directory that exists, and is empty the first time.
    pub(crate) open: fn(&Path) -> Result<Box<dyn System>, Failure>,
    /// The crate whose version is shown.
    pub(crate) of_crate: &'static str,
    pub(crate) facts: Facts,
}

/// What a peer is measured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A system by itself.
    System,
    /// A system whose log is gone when it is closed.
    Memory,
    /// Another way to append to the system of this name: only measured with many callers.
    Way(&'static str),
}

/// What a system promises and how it is set, for the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// What it is.
    pub(crate) kind: &'static str,
    /// What an acknowledged append survives, and what that costs it.
    pub(crate) durable: &'static str,
    /// Who checks versions, and how.
    pub(crate) versions: &'static str,
    /// How a stream's events are found.
    pub(crate) index: &'static str,
    /// In which order the whole log is read.
    pub(crate) order: &'static str,
    /// Which settings differ from its defaults, and why.
    pub(crate) settings: &'static str,
}

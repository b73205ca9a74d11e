//! One command on its way, as a state machine without I/O: it says what it needs next and is told
//! what came of it. So the same rules run blocking and async, on any store.
//!
//! 1. Read the declared streams, all at one position, and fold their events.
//! 2. While `discover` names streams that were not read, read these at the same position.
//! 3. Decide. A rejection, and a decision without events, wait until what was read is durable.
//! 4. Append, with the version read of *every* stream as expectation.
//! 5. On a conflict read only what is new, and decide again; from the beginning, if streams had
//!    been discovered, since others might be discovered now.

use annals_event::{
    Append, AppendFailure, Committed, ExpectedVersion, Position, ReadFrom, Snapshot, StreamId,
    StreamVersion,
};

use crate::{
    codec::Codec,
    command::{Command, Decision},
    error::{ExecuteError, InvalidCommand},
    payloads::Payloads,
};

/// A command that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The durable commit; `None` if the command decided that there is nothing to do.
    pub committed: Option<Committed>,
    /// How many attempts it took: one more than it met conflicts.
    pub attempts: u32,
    /// The position at which the decision held.
    pub position: Position,
}

/// `discover` is asked at most this often.
const ROUNDS_MAX: u32 = 64;

/// What the execution needs next.
pub(crate) enum Step<R, E> {
    /// These streams, at this position or the newest.
    Read(Vec<ReadFrom>, Option<Position>),
    /// This append.
    Append(Append),
    /// That everything up to the position is durable; then the execution has ended with this.
    Settle(Position, Outcome<R, E>),
    /// Nothing: it ended.
    Done(Outcome<R, E>),
}

/// How an execution ends.
pub(crate) type Outcome<R, E> = Result<Executed, ExecuteError<R, E>>;

/// A command on its way.
pub(crate) struct Execution<'a, C: Command, K> {
    command: &'a C,
    payloads: &'a Payloads<K>,
    attempts_max: u32,
    attempts: u32,
    state: C::State,
    /// Every stream read, with its version: what the append will expect.
    read: Vec<(StreamId, StreamVersion)>,
    /// The streams of the read that is under way.
    reading: Vec<StreamId>,
    /// How many of `read` were declared, not discovered.
    declared: usize,
    rounds: u32,
    position: Position,
}

impl<'a, C: Command, K: Codec> Execution<'a, C, K> {
    pub(crate) fn new(command: &'a C, payloads: &'a Payloads<K>, attempts_max: u32) -> Self {
        Self {
            command,
            payloads,
            attempts_max,
            attempts: 1,
            state: C::State::default(),
            read: Vec::new(),
            reading: Vec::new(),
            declared: 0,
            rounds: 0,
            position: Position::ZERO,
        }
    }

    /// The first step.
    pub(crate) fn start<E>(&mut self) -> Step<C::Rejection, E> {
        let streams = self.unread(self.command.streams());
        if streams.is_empty() {
            return invalid(InvalidCommand::NoStreams);
        }
        self.declared = streams.len();
        self.read_new(streams, None)
    }

    /// Those of `streams` that were not read, each once.
    fn unread(&self, streams: Vec<StreamId>) -> Vec<StreamId> {
        let mut unread: Vec<StreamId> = Vec::with_capacity(streams.len());
        for stream in streams {
            if !self.read.iter().any(|(read, _)| *read == stream) && !unread.contains(&stream) {
                unread.push(stream);
            }
        }
        unread
    }

    fn read_new<E>(
        &mut self,
        streams: Vec<StreamId>,
        at: Option<Position>,
    ) -> Step<C::Rejection, E> {
        let from =
            |stream: &StreamId| ReadFrom { stream: stream.clone(), after: StreamVersion::ZERO };
        let request = streams.iter().map(from).collect();
        self.reading = streams;
        Step::Read(request, at)
    }

    /// What was read: fold it, then discover or decide.
    pub(crate) fn on_read<E>(&mut self, snapshot: Snapshot) -> Step<C::Rejection, E> {
        self.position = snapshot.position;
        for (stream, version) in self.reading.drain(..).zip(&snapshot.versions) {
            match self.read.iter_mut().find(|(read, _)| *read == stream) {
                Some((_, known)) => *known = *version,
                None => self.read.push((stream, *version)),
            }
        }
        for event in snapshot.events {
            let (stream, position) = (event.stream.clone(), event.position);
            match self.payloads.decode(event) {
                Ok(Some(event)) => self.command.evolve(&mut self.state, &event),
                Ok(None) => {}
                Err(source) => {
                    return Step::Done(Err(ExecuteError::Decode { stream, position, source }));
                }
            }
        }
        let discovered = self.unread(self.command.discover(&self.state));
        if discovered.is_empty() {
            return self.decide();
        }
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            return invalid(InvalidCommand::EndlessDiscovery { rounds: ROUNDS_MAX });
        }
        self.read_new(discovered, Some(self.position))
    }

    fn decide<E>(&mut self) -> Step<C::Rejection, E> {
        let decision = match self.command.decide(&self.state) {
            Ok(decision) => decision,
            Err(rejection) => {
                return Step::Settle(self.position, Err(ExecuteError::Rejected(rejection)));
            }
        };
        if decision.events.is_empty() {
            return Step::Settle(self.position, Ok(self.executed(None)));
        }
        match self.append(decision) {
            Ok(append) => Step::Append(append),
            Err(error) => invalid(error),
        }
    }

    fn append(&self, decision: Decision<C::Event>) -> Result<Append, InvalidCommand> {
        let mut events = Vec::with_capacity(decision.events.len());
        for (stream, event) in decision.events {
            if !self.read.iter().any(|(read, _)| *read == stream) {
                return Err(InvalidCommand::UndeclaredStream { stream });
            }
            events.push(self.payloads.encode(stream, &event)?);
        }
        let expect = |(stream, version): &(StreamId, StreamVersion)| {
            (stream.clone(), ExpectedVersion::Exactly(*version))
        };
        Ok(Append { events, expectations: self.read.iter().map(expect).collect() })
    }

    /// What came of the append: the end, or another attempt.
    pub(crate) fn on_append<E>(
        &mut self,
        result: Result<Committed, AppendFailure<E>>,
    ) -> Step<C::Rejection, E> {
        let (conflicts, position) = match result {
            Ok(committed) => return Step::Done(Ok(self.executed(Some(committed)))),
            Err(AppendFailure::Store(error)) => return Step::Done(Err(ExecuteError::Store(error))),
            Err(AppendFailure::Conflict { conflicts, position }) => (conflicts, position),
        };
        if self.attempts >= self.attempts_max {
            let attempts = self.attempts;
            return Step::Settle(position, Err(ExecuteError::Contended { conflicts, attempts }));
        }
        self.attempts += 1;
        self.rounds = 0;
        if self.read.len() > self.declared {
            self.state = C::State::default();
            self.read.clear();
            return self.start();
        }
        let from = |(stream, after): &(StreamId, StreamVersion)| ReadFrom {
            stream: stream.clone(),
            after: *after,
        };
        self.reading = self.read.iter().map(|(stream, _)| stream.clone()).collect();
        Step::Read(self.read.iter().map(from).collect(), None)
    }

    fn executed(&self, committed: Option<Committed>) -> Executed {
        Executed { committed, attempts: self.attempts, position: self.position }
    }
}

fn invalid<R, E>(error: InvalidCommand) -> Step<R, E> {
    Step::Done(Err(ExecuteError::Invalid(error)))
}

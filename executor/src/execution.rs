//! One command on its way, as a state machine without I/O: it says what it needs next and is told
//! what came of it. So the same rules run blocking and async, on any store.
//!
//! 1. Queue for the declared streams, so that other commands of this process do not interfere.
//! 2. Take over what the cache has kept of their state.
//! 3. Read what is new in them, all at one position, and fold it.
//! 4. While `discover` names streams that were not read, add them to the turn and read them at
//!    the same position. If others are at them, give up the turn and queue for all.
//! 5. Decide. A rejection, and a decision without events, wait until what was read is durable.
//! 6. Append, with the version read of *every* stream as expectation.
//! 7. When the append has its place, fold its events, leave the state to the cache and hand over
//!    to whoever is next; the answer waits until the append is durable.
//! 8. On a conflict read only what is new, and decide again; from step 2, if streams had been
//!    discovered, since others might be discovered now.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use annals_event::{
    Append, AppendFailure, Committed, Conflict, EventId, Position, ReadFrom, Sequenced, Snapshot,
    Store,
};

use annals_planted::{Bug, planted};

use crate::{
    basis::{Basis, Unfolded},
    codec::Codec,
    command::Command,
    decision::{Decided, Decision},
    error::{ExecuteError, InvalidCommand},
    guard::{Panicked, guard},
    observe::Meters,
    outcome::{Ended, ErrorOf, Executed, Outcome, RestsOn},
    payloads::Payloads,
    request::Request,
    retry::{Retry, RetryPolicy},
    snapshot_keeper::Keeper,
    state_cache::StateCache,
    timer::Timer,
    turns::{Keys, Turn, Turns},
};

/// `discover` is asked at most this often in an attempt.
const ROUNDS_MAX: u32 = 64;

/// How often a command queues anew for streams that it discovered. Then it goes on without its
/// turn: a conflict is the worst that can happen.
const QUEUEINGS_MAX: u32 = 8;

/// What all executions of an executor share.
#[derive(Debug)]
pub(crate) struct Shared<S, K> {
    pub(crate) store: S,
    pub(crate) payloads: Payloads<K>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) cache: Arc<StateCache>,
    /// Set at most once, after the rest.
    pub(crate) keeper: OnceLock<Keeper>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) meters: Meters,
}

impl<S, K> Shared<S, K> {
    /// Who loads and saves snapshots, if anybody does.
    pub(crate) fn keeper(&self) -> Option<&Keeper> {
        self.keeper.get()
    }
}

/// What the execution needs next.
pub(crate) enum Step<R, S: Store> {
    /// Its turn at these streams.
    Queue(Keys),
    /// The commit of the event with this id, if there is one.
    Find(EventId),
    /// The streams from this number on, at this position or the newest.
    Read(usize, Option<Position>),
    /// That this append gets its place.
    Sequence(Append),
    /// That so much time passes.
    Pause(Duration),
    /// Nothing: it ended with this, once what it rests on is durable.
    Ended(Ended<R, S>),
}

/// An execution and its first step.
type Started<X, C, S> = (X, Step<<C as Command>::Rejection, S>);

/// A command on its way. Dropped, it leaves its state to the cache and its turn to the next.
pub(crate) struct Execution<'a, C: Command, S: Store, K> {
    command: &'a C,
    request: &'a Request<'a, C>,
    shared: &'a Shared<S, K>,
    policy: &'a RetryPolicy,
    attempts: u32,
    rounds: u32,
    queueings: u32,
    basis: Basis<C::State>,
    position: Position,
    /// The events of the append that is on its way.
    events: Vec<C::Event>,
    /// Why the append failed, while it is looked for whether it was appended before.
    failure: Option<S::Error>,
    turn: Option<Turn>,
}

impl<'a, C: Command, S: Store, K: Codec> Execution<'a, C, S, K> {
    /// An execution and its first step.
    pub(crate) fn start(
        request: &'a Request<'a, C>,
        shared: &'a Shared<S, K>,
        policy: &'a RetryPolicy,
    ) -> Result<Started<Self, C, S>, ErrorOf<C, S>> {
        let command = request.command;
        let streams = guard("streams", || command.streams())?;
        if streams.is_empty() {
            return Err(InvalidCommand::NoStreams.into());
        }
        let caching = guard("caching", || command.caching())?;
        let execution = Self {
            command,
            request,
            shared,
            policy,
            attempts: 1,
            rounds: 0,
            queueings: 1,
            basis: Basis::new(streams, caching),
            position: Position::ZERO,
            events: Vec::new(),
            failure: None,
            turn: None,
        };
        let keys = execution.basis.hashes().into();
        Ok((execution, Step::Queue(keys)))
    }

    /// What [`Step::Read`] is about.
    pub(crate) fn streams(&self, from: usize) -> &[ReadFrom] {
        self.basis.streams().get(from..).unwrap_or_default()
    }

    /// Its turn has come.
    pub(crate) fn on_turn(&mut self, turn: Turn) -> Step<C::Rejection, S> {
        self.turn = Some(turn);
        // Only now: whoever had the turn before may have had the same key.
        self.request.key.map_or_else(|| self.begin(), |key| Step::Find(key.event_id(0)))
    }

    /// What was appended with the key before, if anything.
    pub(crate) fn on_found(&mut self, found: Option<Committed>) -> Step<C::Rejection, S> {
        match (found, self.failure.take()) {
            (Some(first), _) => {
                let rests_on = RestsOn::Position(first.last);
                end(Ok(Executed { is_repeat: true, ..self.executed(Some(first)) }), rests_on)
            }
            (None, Some(error)) => failed(ExecuteError::Store(error)),
            (None, None) => self.begin(),
        }
    }

    /// Enough time has passed.
    pub(crate) fn on_pause(&mut self) -> Step<C::Rejection, S> {
        Step::Queue(self.basis.hashes().into())
    }

    /// Begins with what the cache has.
    fn begin(&mut self) -> Step<C::Rejection, S> {
        self.basis.take_kept(&self.shared.cache, self.shared.keeper());
        // What was discovered for the kept state is needed again.
        if self.basis.has_discovered() && !self.extend_turn() {
            return self.queue_anew();
        }
        Step::Read(0, None)
    }

    /// Adds all streams to the turn, if that can be done at once or is not worth waiting for.
    fn extend_turn(&mut self) -> bool {
        let turn = self.turn.as_mut();
        turn.is_none_or(|turn| turn.extend(self.basis.hashes())) || self.queueings >= QUEUEINGS_MAX
    }

    /// Gives up the turn, and queues for all streams known by now.
    fn queue_anew(&mut self) -> Step<C::Rejection, S> {
        self.queueings += 1;
        let mut keys = Keys::from(self.basis.hashes());
        keys.extend(self.turn.iter().flat_map(Turn::keys).copied());
        self.basis.put_back(&self.shared.cache, self.shared.keeper());
        self.turn = None;
        self.rounds = 0;
        Step::Queue(keys)
    }

    /// What was read: fold it, then discover or decide.
    pub(crate) fn on_read(
        &mut self,
        first: usize,
        mut snapshot: Snapshot,
    ) -> Step<C::Rejection, S> {
        if !self.basis.prove(&mut snapshot, self.shared.keeper()) {
            self.rounds = 0;
            return Step::Read(0, None);
        }
        // Where it all begins has moved: other streams might be discovered now.
        if first == 0 && self.basis.has_discovered() && !snapshot.events.is_empty() {
            self.basis.begin_again();
            return Step::Read(0, None);
        }
        self.position = snapshot.position;
        let payloads = &self.shared.payloads;
        if let Err(error) = self.basis.fold(self.command, payloads, first, snapshot) {
            return failed(error);
        }
        let known = self.basis.streams().len();
        match guard("discover", || self.command.discover(self.basis.state())) {
            Ok(discovered) => self.basis.add(discovered),
            Err(panicked) => return failed(panicked),
        }
        if self.basis.streams().len() == known { self.decide() } else { self.read_more(known) }
    }

    /// Reads what was discovered: the streams from number `first` on.
    fn read_more(&mut self, first: usize) -> Step<C::Rejection, S> {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            return failed(InvalidCommand::EndlessDiscovery { rounds: ROUNDS_MAX });
        }
        if !self.extend_turn() {
            return self.queue_anew();
        }
        let (cache, keeper) = (&self.shared.cache, self.shared.keeper());
        if !self.basis.take_parts(cache, keeper, first, self.position) {
            // Somebody was faster there: what was read first is too old for it.
            return self.queue_anew();
        }
        Step::Read(first, Some(self.position))
    }

    fn decide(&mut self) -> Step<C::Rejection, S> {
        let decision = match guard("decide", || self.command.decide(self.basis.state())) {
            Ok(Ok(decision)) => decision,
            Ok(Err(rejection)) => return self.settle(Err(ExecuteError::Rejected(rejection))),
            Err(panicked) => return failed(panicked),
        };
        if decision.events.is_empty() {
            let executed = self.executed(None);
            return self.settle(Ok(executed));
        }
        match guard("serialize", || self.encode(decision)) {
            Ok(Ok((append, events))) => {
                self.events = events;
                Step::Sequence(append)
            }
            Ok(Err(error)) => failed(error),
            Err(panicked) => failed(panicked),
        }
    }

    fn encode(
        &self,
        decision: Decision<C::Event>,
    ) -> Result<(Append, Vec<C::Event>), InvalidCommand> {
        let mut new = Vec::with_capacity(decision.events.len());
        let mut events = Vec::with_capacity(decision.events.len());
        for (number, Decided { stream, event, id, tags }) in (0..).zip(decision.events) {
            if !self.basis.has(&stream) {
                return Err(InvalidCommand::UndeclaredStream { stream });
            }
            let mut encoded = self.shared.payloads.encode(stream, &event)?;
            encoded.id = match (self.request.key, id) {
                (Some(_), Some(_)) => return Err(InvalidCommand::IdAndKey),
                (Some(key), None) => Some(key.event_id(number)),
                (None, id) => id,
            };
            encoded.metadata.clone_from(&self.request.metadata);
            encoded.tags = tags;
            new.push(encoded);
            events.push(event);
        }
        Ok((Append { events: new, expectations: self.basis.expectations() }, events))
    }

    /// What came of the append: the end, or another attempt.
    pub(crate) fn on_sequenced(
        &mut self,
        append: Append,
        result: Result<Sequenced<S::Ticket>, AppendFailure<S::Error>>,
    ) -> Step<C::Rejection, S> {
        let events = std::mem::take(&mut self.events);
        match result {
            Ok(Sequenced { committed, ticket, is_repeat }) => {
                if !is_repeat {
                    let derived_id = |position| self.shared.store.derived_id(position);
                    self.basis.fold_own(self.command, &committed, append, events, derived_id);
                }
                let executed = Executed { is_repeat, ..self.executed(Some(committed)) };
                end(Ok(executed), RestsOn::Ticket(ticket))
            }
            Err(AppendFailure::Store(error)) => {
                self.shared.cache.clear();
                let Some(key) = self.request.key else { return failed(ExecuteError::Store(error)) };
                // Perhaps somebody else has just appended with this key.
                self.failure = Some(error);
                Step::Find(key.event_id(0))
            }
            Err(AppendFailure::Conflict { conflicts, position }) => {
                self.on_conflict(conflicts, position)
            }
        }
    }

    fn on_conflict(
        &mut self,
        conflicts: Vec<Conflict>,
        position: Position,
    ) -> Step<C::Rejection, S> {
        let attempt = self.attempts;
        self.shared.meters.conflicts.add(1);
        if attempt >= self.policy.attempts() {
            let contended = ExecuteError::Contended { conflicts, attempts: attempt };
            return end(Err(contended), RestsOn::Position(position));
        }
        self.attempts += 1;
        self.shared.meters.retries.add(1);
        let delay = self.policy.delay(attempt, || self.shared.timer.random());
        tracing::debug!(attempt, ?conflicts, ?delay, "conflicted");
        let retry = Retry { attempt, conflicts: &conflicts, delay };
        if let Err(panicked) = guard("on_retry", || self.policy.tell(&retry)) {
            return failed(panicked);
        }
        if delay.is_zero() {
            return self.try_again();
        }
        self.basis.put_back(&self.shared.cache, self.shared.keeper());
        self.turn = None;
        self.rounds = 0;
        Step::Pause(delay)
    }

    fn try_again(&mut self) -> Step<C::Rejection, S> {
        self.rounds = 0;
        if !self.basis.has_discovered() {
            return Step::Read(0, None);
        }
        if self.basis.is_kept_per_stream() {
            self.basis.put_back(&self.shared.cache, self.shared.keeper());
            return self.begin();
        }
        self.basis.begin_again();
        Step::Read(0, None)
    }

    fn executed(&self, committed: Option<Committed>) -> Executed {
        Executed { committed, attempts: self.attempts, position: self.position, is_repeat: false }
    }

    /// The end, once everything that was read is durable.
    fn settle(&self, outcome: Outcome<C::Rejection, S::Error>) -> Step<C::Rejection, S> {
        let does_not_wait = planted(Bug::RejectionDoesNotWait);
        let rests_on =
            if does_not_wait { RestsOn::Nothing } else { RestsOn::Position(self.position) };
        end(outcome, rests_on)
    }
}

fn failed<R, S: Store>(error: impl Into<ExecuteError<R, S::Error>>) -> Step<R, S> {
    end(Err(error.into()), RestsOn::Nothing)
}

fn end<R, S: Store>(outcome: Outcome<R, S::Error>, rests_on: RestsOn<S::Ticket>) -> Step<R, S> {
    Step::Ended(Ended { outcome, rests_on })
}

/// Cancelled or ended: first the state goes back, then the turn goes on.
impl<C: Command, S: Store, K> Drop for Execution<'_, C, S, K> {
    fn drop(&mut self) {
        self.basis.put_back(&self.shared.cache, self.shared.keeper());
    }
}

impl<R, E> From<Panicked> for ExecuteError<R, E> {
    fn from(Panicked { place, message }: Panicked) -> Self {
        Self::Panicked { place, message }
    }
}

impl<R, E> From<Unfolded> for ExecuteError<R, E> {
    fn from(error: Unfolded) -> Self {
        match error {
            Unfolded::Panicked(panicked) => panicked.into(),
            Unfolded::Undecoded { stream, position, source } => {
                Self::Decode { stream, position, source }
            }
        }
    }
}

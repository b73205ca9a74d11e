//! Callers that read and append over the same streams, by themselves and through an executor, and
//! the record of what they were told (`history.rs`).
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use annals::{
    Annals, Append, AppendError, Bincode, Caching, CommandStreams, Committed, Conflict, Conflicts,
    Decision, ExecuteError, Executed, Executor, ExpectedVersion, LogQuery, NewEvent, Payloads,
    PerStream, ReadFrom, Recorded, Store, StreamId, StreamState, StreamVersion,
};
use annals_sim::Random;
#[cfg(not(annals_shuttle))]
use pollster::block_on;
use serde::{Deserialize, Serialize};
#[cfg(annals_shuttle)]
use shuttle::future::block_on;

use crate::history::{Answer, Clock, Command, Event, check};

/// What happens to a stream.
#[derive(Debug, Clone, Serialize, Deserialize, annals::Event)]
enum Happened {
    /// Something, by the command of this number.
    By(u64),
}

fn event_of(stream: &StreamId, number: u64) -> NewEvent {
    Payloads::new(Bincode).encode(stream.clone(), &Happened::By(number)).unwrap()
}

/// What callers share.
pub(crate) struct Scene {
    streams: Vec<StreamId>,
    clock: Clock,
    /// Gives commands their numbers.
    next: AtomicU64,
    commands: Mutex<Vec<(u64, Command)>>,
}

/// What a caller wants: streams to look at, some of them to write to.
pub(crate) struct Wish {
    number: u64,
    looks: Vec<usize>,
    wrote: Vec<usize>,
}

impl Scene {
    /// Over so many streams, a power of two.
    pub(crate) fn new(streams: usize) -> Self {
        let name = |n| StreamId::new(&format!("stream-{n}")).unwrap();
        let streams = (0..streams).map(name).collect();
        let (clock, next, commands) = Default::default();
        Self { streams, clock, next, commands }
    }

    fn wish(&self, random: &mut Random) -> Wish {
        let streams = self.streams.len();
        let (first, step) = (below(random, streams), [1, 3, 5][below(random, 3)]);
        let count = 1 + below(random, streams.min(3));
        let looks: Vec<usize> = (0..count).map(|n| (first + n * step) % streams).collect();
        let mut wrote = looks[..below(random, count + 1)].to_vec();
        // Sometimes a stream gets two events.
        wrote.extend(wrote.first().copied().filter(|_| random.below(8) == 0));
        // Relaxed: only uniqueness counts.
        Wish { number: self.next.fetch_add(1, Ordering::Relaxed), looks, wrote }
    }

    fn number_of(&self, name: &StreamId) -> usize {
        self.streams.iter().position(|stream| stream == name).unwrap()
    }

    /// Keeps what a caller did.
    fn keep(&self, done: Vec<(u64, Command)>) {
        self.commands.lock().unwrap().extend(done);
    }

    /// Holds everything to the log; says how many commands that were.
    pub(crate) fn check(self, store: &Annals) -> usize {
        let payloads = Payloads::new(Bincode);
        let log = store.read_all(LogQuery::forward()).map(|event| {
            let recorded = payloads.decode::<Happened>(event.unwrap()).unwrap().unwrap();
            let Happened::By(command) = recorded.event;
            Event {
                command: usize::try_from(command).unwrap(),
                position: recorded.position.get(),
                stream: self.number_of(&recorded.stream),
                version: recorded.version.get(),
            }
        });
        let log: Vec<Event> = log.collect();
        let mut commands = self.commands.into_inner().unwrap();
        commands.sort_unstable_by_key(|(number, _)| *number);
        assert!(commands.iter().map(|(number, _)| *number).eq(0..self.next.into_inner()));
        let commands: Vec<Command> = commands.into_iter().map(|(_, command)| command).collect();
        let checked = check(&commands, &log);
        if let Err(anomaly) = checked {
            panic!("{anomaly:?} among {} commands and {} events", commands.len(), log.len());
        }
        commands.len()
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).unwrap())).unwrap()
}

/// What the caller of an append is told, in the words of the checker.
fn told(scene: &Scene, wish: &Wish, outcome: Result<Committed, AppendError>) -> Answer {
    match outcome {
        Ok(told) => committed(wish, &told),
        Err(AppendError::Conflict(Conflicts(conflicts))) => conflict(scene, &conflicts),
        // The disk is dead: nothing is known of this one, and more are not tried.
        Err(
            AppendError::OutcomeUnknown(_)
            | AppendError::Poisoned(_)
            | AppendError::NoRoom(_)
            | AppendError::Read(_),
        ) => Answer::Unknown,
        Err(other) => panic!("{other}"),
    }
}

fn committed(wish: &Wish, told: &Committed) -> Answer {
    let mut streams: Vec<usize> = Vec::new();
    for stream in &wish.wrote {
        if !streams.contains(stream) {
            streams.push(*stream);
        }
    }
    assert_eq!(streams.len(), told.versions.len());
    let versions = streams.into_iter().zip(told.versions.iter().map(|version| version.get()));
    Answer::Committed { first: told.first.get(), versions: versions.collect() }
}

fn conflict(scene: &Scene, conflicts: &[Conflict]) -> Answer {
    let Conflict { stream, expected, actual } = &conflicts[conflicts.len() - 1];
    let ExpectedVersion::Exactly(expected) = expected else { panic!("{expected:?}") };
    let (expected, actual) = (expected.get(), actual.get());
    Answer::Conflict { stream: scene.number_of(stream), expected, actual }
}

/// A way to have a wish fulfilled: says what was read, and the answer.
pub(crate) type Act<'a> = dyn Fn(&Wish) -> (Vec<(usize, u64)>, Answer) + 'a;

/// A caller: one wish after the other, until the store fails.
pub(crate) fn call(scene: &Scene, seed: u64, count: u64, act: &Act<'_>) {
    let (mut random, mut done) = (Random::new(seed), Vec::new());
    for _ in 0..count {
        let wish = scene.wish(&mut random);
        let began = scene.clock.tick();
        let (read, answer) = act(&wish);
        let answered = scene.clock.tick();
        let is_over = matches!(answer, Answer::Unknown);
        let Wish { number, wrote, .. } = wish;
        done.push((number, Command { began, answered, read, wrote, answer }));
        if is_over {
            break;
        }
    }
    scene.keep(done);
}

/// Reads, and appends a moment later, expecting everything to be as it was read.
pub(crate) fn by_hand(scene: &Scene, store: &Annals, wish: &Wish) -> (Vec<(usize, u64)>, Answer) {
    let after = StreamVersion::new(u64::MAX);
    let reads = wish.looks.iter().map(|at| ReadFrom { stream: scene.streams[*at].clone(), after });
    let Ok(snapshot) = store.read_blocking(&reads.collect::<Vec<_>>(), None) else {
        return (Vec::new(), Answer::Unknown);
    };
    let versions = snapshot.versions.iter().map(|version| version.get());
    let read: Vec<(usize, u64)> = wish.looks.iter().copied().zip(versions).collect();
    if wish.wrote.is_empty() {
        let position = snapshot.position;
        let settled = store.settle_blocking(position);
        return (read, settled.map_or(Answer::Unknown, |()| Answer::Decided(position.get())));
    }
    let mut append = Append::new();
    for (stream, version) in &read {
        let expected = ExpectedVersion::Exactly(StreamVersion::new(*version));
        append = append.expect(scene.streams[*stream].clone(), expected);
    }
    let events = wish.wrote.iter().map(|at| event_of(&scene.streams[*at], wish.number));
    let pending = store.append(&append.events(events));
    let is_async = wish.number.is_multiple_of(2);
    let outcome = if is_async { block_on(pending) } else { pending.wait() };
    (read, told(scene, wish, outcome))
}

/// Counts a stream's events.
#[derive(Debug, Default)]
struct Count(u64);

impl StreamState for Count {
    type Event = Happened;
    fn evolve(&mut self, recorded: &Recorded<Happened>) {
        self.0 += 1;
        assert_eq!(recorded.version.get(), self.0, "of {}", recorded.stream);
    }
}

/// What a command comes to.
type Outcome = Result<Executed, ExecuteError<(), AppendError>>;

/// The same wish as a command.
struct Fulfil<'a> {
    scene: &'a Scene,
    wish: &'a Wish,
    /// What the last decision was made on.
    read: Mutex<Vec<(usize, u64)>>,
}

impl Fulfil<'_> {
    /// Some find all streams but the first one through it.
    fn declared(&self) -> usize {
        if self.wish.number.is_multiple_of(3) { 1 } else { self.wish.looks.len() }
    }
}

impl CommandStreams for Fulfil<'_> {
    fn streams(&self) -> Vec<StreamId> {
        let looks = self.wish.looks.iter().take(self.declared());
        looks.map(|at| self.scene.streams[*at].clone()).collect()
    }
}

impl annals::Command for Fulfil<'_> {
    type State = PerStream<Count>;
    type Event = Happened;
    type Rejection = ();

    fn discover(&self, _: &PerStream<Count>) -> Vec<StreamId> {
        let looks = self.wish.looks.iter().skip(self.declared());
        looks.map(|at| self.scene.streams[*at].clone()).collect()
    }
    fn evolve(&self, counts: &mut PerStream<Count>, recorded: &Recorded<Happened>) {
        counts.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Count>> {
        Caching::per_stream()
    }
    fn decide(&self, counts: &PerStream<Count>) -> Result<Decision<Happened>, ()> {
        let seen = |at: &usize| (*at, counts.of(&self.scene.streams[*at]).0);
        *self.read.lock().unwrap() = self.wish.looks.iter().map(seen).collect();
        if self.wish.wrote.is_empty() && self.wish.number.is_multiple_of(2) {
            return Err(());
        }
        let happened = |decision: Decision<Happened>, at: &usize| {
            decision.and(self.scene.streams[*at].clone(), Happened::By(self.wish.number))
        };
        Ok(self.wish.wrote.iter().fold(Decision::nothing(), happened))
    }
}

impl<'a> Fulfil<'a> {
    fn new(scene: &'a Scene, wish: &'a Wish) -> Self {
        Self { scene, wish, read: Mutex::default() }
    }

    /// What was read for the last decision, and the answer, in the words of the checker.
    fn told(self, outcome: Outcome) -> (Vec<(usize, u64)>, Answer) {
        let answer = match outcome {
            Ok(Executed { committed: Some(told), .. }) => committed(self.wish, &told),
            Ok(executed) => Answer::Decided(executed.position.get()),
            Err(ExecuteError::Rejected(())) => Answer::Rejected,
            Err(ExecuteError::Contended { conflicts, .. }) => conflict(self.scene, &conflicts),
            Err(ExecuteError::Store(error)) => told(self.scene, self.wish, Err(error)),
            Err(other) => panic!("{other}"),
        };
        (self.read.into_inner().unwrap(), answer)
    }
}

/// As a command, which is tried twice at most.
pub(crate) fn by_command(
    scene: &Scene,
    executor: &Executor<Annals>,
    wish: &Wish,
) -> (Vec<(usize, u64)>, Answer) {
    let command = Fulfil::new(scene, wish);
    let is_async = wish.number % 4 < 2;
    let outcome = if is_async {
        block_on(executor.execute(&command))
    } else {
        executor.execute_blocking(&command)
    };
    command.told(outcome)
}

/// A caller whose commands are in flight together.
pub(crate) fn at_once(scene: &Scene, executor: &Executor<Annals>, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    let wishes: Vec<Wish> = (0..count).map(|_| scene.wish(&mut random)).collect();
    let commands: Vec<Fulfil<'_>> = wishes.iter().map(|wish| Fulfil::new(scene, wish)).collect();
    let began = scene.clock.tick();
    let outcomes = block_on(executor.execute_all(&commands));
    let answered = scene.clock.tick();
    let done = commands.into_iter().zip(outcomes).map(|(command, outcome)| {
        let Wish { number, wrote, .. } = command.wish;
        let (read, answer) = command.told(outcome);
        (*number, Command { began, answered, read, wrote: wrote.clone(), answer })
    });
    scene.keep(done.collect());
}

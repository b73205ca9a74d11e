//! The same random histories on the engine and on Postgres: every outcome, every conflict and every
//! read is the same, but for times and the ids that follow from the log's own.

use annals::{
    Annals, Append, Command, CommandStreams, Decision, Event, EventId, ExecuteError, Executor,
    ExpectedVersion, NewEvent, Position, Recorded, StreamId, StreamVersion,
};
use annals_event::{AppendFailure, Committed, ReadFrom, RecordedEvent, Store};
use annals_postgres::StoreError;
use serde::{Deserialize, Serialize};

use crate::{contract::fresh, server::Server};

/// Numbers that look random and are the same each time (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d'); --", "é"];

fn stream(random: &mut Random) -> StreamId {
    StreamId::new(NAMES[usize::try_from(random.below(5)).unwrap()]).unwrap()
}

fn append(random: &mut Random) -> Append {
    let mut append = Append::new();
    // Of few, so that some are known.
    let id = (random.below(3) == 0).then(|| random.below(40));
    for number in 0..=random.below(4) {
        let payload: Vec<u8> =
            (0..random.below(20)).map(|_| random.below(256).to_le_bytes()[0]).collect();
        let mut event = NewEvent::new(stream(random), "Happened", payload).unwrap();
        event.metadata = vec![7; usize::try_from(random.below(3)).unwrap()];
        event.tags = (0..random.below(3)).map(|tag| format!("tag {tag}")).collect();
        event.id = id.map(|id| EventId::new(u128::from(id * 3 + number).to_le_bytes()));
        append = append.event(event);
    }
    for _ in 0..random.below(4) {
        let expected = match random.below(5) {
            0 => ExpectedVersion::Any,
            1 => ExpectedVersion::NoStream,
            2 => ExpectedVersion::Exists,
            _ => ExpectedVersion::Exactly(StreamVersion::new(random.below(6))),
        };
        append = append.expect(stream(random), expected);
    }
    append
}

/// What an append came to, without what differs between stores.
fn told<E: std::fmt::Debug>(
    outcome: Result<Committed, AppendFailure<E>>,
    refused: impl Fn(E) -> String,
) -> String {
    match outcome {
        Ok(Committed { first, last, versions, .. }) => format!("{first} to {last}, {versions:?}"),
        Err(AppendFailure::Conflict { mut conflicts, position }) => {
            conflicts.sort_by(|a, b| a.stream.cmp(&b.stream));
            format!("at {position}: {conflicts:?}")
        }
        Err(AppendFailure::Store(error)) => refused(error),
    }
}

fn told_of_engine(outcome: Result<Committed, AppendFailure<annals::AppendError>>) -> String {
    told(outcome, |error| match error {
        annals::AppendError::Invalid(invalid) => format!("{invalid:?}"),
        annals::AppendError::IdInUse { id, position } => format!("{id} is at {position}"),
        other => panic!("{other}"),
    })
}

fn told_of_postgres(outcome: Result<Committed, AppendFailure<StoreError>>) -> String {
    told(outcome, |error| match error {
        StoreError::Invalid(invalid) => format!("{invalid:?}"),
        StoreError::IdInUse { id, position } => format!("{id} is at {position}"),
        other => panic!("{other}"),
    })
}

/// An event without its time, and without an id that follows from the log's.
fn plain<S: Store>(store: &S, mut event: RecordedEvent) -> RecordedEvent {
    event.time = annals::Timestamp(0);
    if event.id == store.derived_id(event.position) {
        event.id = EventId::new([0; 16]);
    }
    event
}

fn read<S: Store>(store: &S, from: &[ReadFrom], at: Option<Position>) -> String {
    let snapshot = store.read_blocking(from, at).unwrap();
    let events: Vec<_> = snapshot.events.into_iter().map(|event| plain(store, event)).collect();
    format!("{} {:?} {events:?}", snapshot.position, snapshot.versions)
}

pub(crate) fn random_appends_and_reads_are_the_same(server: &Server) {
    for seed in 0..25 {
        let (engine, postgres) = (Annals::in_memory().unwrap(), fresh(&server.settings()));
        let random = &mut Random(seed);
        for step in 0..40 {
            let append = append(random);
            let expected = told_of_engine(engine.append_blocking(&append));
            let found = told_of_postgres(postgres.append_blocking(&append));
            assert_eq!(expected, found, "seed {seed}, step {step}: {append:?}");
            let mut from: Vec<_> = NAMES.iter().map(|name| StreamId::new(name).unwrap()).collect();
            from.retain(|_| random.below(2) == 0);
            let from: Vec<_> = from
                .into_iter()
                .map(|stream| ReadFrom { stream, after: StreamVersion::new(random.below(8)) })
                .collect();
            let at = (random.below(2) == 0).then(|| Position::new(random.below(60)));
            let expected = read(&engine, &from, at);
            assert_eq!(expected, read(&postgres, &from, at), "seed {seed}, step {step}");
        }
    }
}

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Changed { cents: i64 },
    Linked { to: String },
}

#[derive(Default)]
struct State {
    cents: i64,
    links: Vec<String>,
}

/// Moves money between accounts, and over what they are linked with.
struct Move {
    from: StreamId,
    to: StreamId,
    cents: i64,
    link: bool,
}

impl CommandStreams for Move {
    fn streams(&self) -> Vec<StreamId> {
        vec![self.from.clone(), self.to.clone()]
    }
}

impl Command for Move {
    type State = State;
    type Event = AccountEvent;
    type Rejection = String;

    fn evolve(&self, state: &mut State, recorded: &Recorded<AccountEvent>) {
        match &recorded.event {
            AccountEvent::Changed { cents } => state.cents += cents,
            AccountEvent::Linked { to } => state.links.push(to.clone()),
        }
    }

    fn discover(&self, state: &State) -> Vec<StreamId> {
        state.links.iter().map(|link| StreamId::new(link).unwrap()).collect()
    }

    fn decide(&self, state: &State) -> Result<Decision<AccountEvent>, String> {
        if state.cents + self.cents < 0 {
            return Err(format!("only {} there", state.cents));
        }
        let decision =
            Decision::one(self.from.clone(), AccountEvent::Changed { cents: self.cents });
        let to = NAMES[usize::try_from(self.cents.unsigned_abs() % 5).unwrap()].to_owned();
        Ok(if self.link {
            decision.and(self.to.clone(), AccountEvent::Linked { to })
        } else {
            decision
        })
    }
}

fn executed<S: Store>(executor: &Executor<S>, command: &Move) -> String {
    match executor.execute_blocking(command) {
        Ok(executed) => {
            let committed = executed.committed.map(|c| (c.first, c.last, c.versions));
            format!("{committed:?} {} {}", executed.attempts, executed.position)
        }
        Err(ExecuteError::Rejected(why)) => why,
        Err(other) => panic!("{other:?}"),
    }
}

pub(crate) fn random_commands_come_to_the_same(server: &Server) {
    for seed in 0..10 {
        let engine = Executor::new(Annals::in_memory().unwrap());
        let postgres = Executor::new(fresh(&server.settings()));
        let random = &mut Random(seed);
        for step in 0..50 {
            let cents = i64::try_from(random.below(200)).unwrap() - 80;
            let (from, to) = (stream(random), stream(random));
            let command = Move { from, to, cents, link: random.below(4) == 0 };
            let expected = executed(&engine, &command);
            assert_eq!(expected, executed(&postgres, &command), "seed {seed}, step {step}");
        }
        let all: Vec<_> = NAMES
            .iter()
            .map(|name| ReadFrom {
                stream: StreamId::new(name).unwrap(),
                after: StreamVersion::ZERO,
            })
            .collect();
        assert_eq!(read(engine.store(), &all, None), read(postgres.store(), &all, None));
    }
}

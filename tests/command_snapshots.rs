//! Folded state that outlives the process: what is saved when, what is believed, and what is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use annals::{
    Annals, Append, AppendFailure, Bincode, Caching, Command, CommandStreams, Committed, Decision,
    Event, EventId, Executor, Json, Options, PerStream, Position, ReadFrom, Recorded, Sequenced,
    Snapshot, SnapshotFiles, SnapshotStore, Snapshots, Store, StreamId, StreamState, Threads,
};
use annals_sim::{CrashPlan, Fault, Random, SimDisk, SimEnvironment, Times};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Counted {
    Up(u64),
}

/// Sums up; `text` is only there to be hostile.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counter {
    sum: u64,
    text: Vec<String>,
}

impl StreamState for Counter {
    type Event = Counted;
    fn evolve(&mut self, recorded: &Recorded<Counted>) {
        let Counted::Up(by) = recorded.event;
        self.sum += by;
    }
}

/// How snapshots are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Bincode(u32),
    Json,
    OtherName,
}

/// Adds to a counter; refused with its sum if there is nothing to add.
struct Add {
    stream: &'static str,
    by: u64,
    how: How,
}

impl CommandStreams for Add {
    fn streams(&self) -> Vec<StreamId> {
        vec![id(self.stream)]
    }
}

impl Command for Add {
    type State = PerStream<Counter>;
    type Event = Counted;
    type Rejection = u64;
    fn evolve(&self, counters: &mut PerStream<Counter>, recorded: &Recorded<Counted>) {
        counters.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Counter>> {
        let caching = Caching::per_stream();
        match self.how {
            How::Bincode(schema) => {
                caching.saved::<Bincode>(Snapshots::new("counter", schema).every(10))
            }
            How::Json => caching.saved::<Json>(Snapshots::new("counter", 1).every(10)),
            How::OtherName => caching.saved::<Bincode>(Snapshots::new("other", 1).every(10)),
        }
    }
    fn decide(&self, counters: &PerStream<Counter>) -> Result<Decision<Counted>, u64> {
        if self.by == 0 {
            return Err(counters.of(&id(self.stream)).sum);
        }
        Ok(Decision::one(id(self.stream), Counted::Up(self.by)))
    }
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

const HOW: How = How::Bincode(1);

/// Snapshots in memory, which a test can look at and change.
#[derive(Debug, Clone, Default)]
struct Shelf {
    kept: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    saves: Arc<AtomicU64>,
}

impl SnapshotStore for Shelf {
    fn load(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }
    fn save(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        assert_eq!(key.len(), 32);
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.kept.lock().unwrap().insert(key.to_owned(), bytes.to_owned());
        Ok(())
    }
}

/// A store that counts the events that are read from it.
#[derive(Clone)]
struct Counting(Annals, Arc<AtomicU64>);

impl Counting {
    fn new(annals: &Annals) -> Self {
        Self(annals.clone(), Arc::default())
    }

    fn count(&self, snapshot: &Snapshot) {
        let events = u64::try_from(snapshot.events.len()).unwrap();
        self.1.fetch_add(events, Ordering::SeqCst);
    }
}

type Failure = AppendFailure<annals::AppendError>;

impl Store for Counting {
    type Error = annals::AppendError;
    type Ticket = <Annals as Store>::Ticket;
    async fn read(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error> {
        self.0.read(streams, at).await.inspect(|snapshot| self.count(snapshot))
    }
    async fn sequence(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        self.0.sequence(append).await
    }
    async fn settle(&self, position: Position) -> Result<(), Self::Error> {
        self.0.settle(position).await
    }
    async fn find(&self, id: EventId) -> Result<Option<Committed>, Self::Error> {
        self.0.find(id).await
    }
    fn read_blocking(
        &self,
        streams: &[ReadFrom],
        at: Option<Position>,
    ) -> Result<Snapshot, Self::Error> {
        self.0.read_blocking(streams, at).inspect(|snapshot| self.count(snapshot))
    }
    fn sequence_blocking(&self, append: &Append) -> Result<Sequenced<Self::Ticket>, Failure> {
        self.0.sequence_blocking(append)
    }
    fn wait(&self, ticket: Self::Ticket) -> Result<(), Self::Error> {
        self.0.wait(ticket)
    }
    fn settle_blocking(&self, position: Position) -> Result<(), Self::Error> {
        self.0.settle_blocking(position)
    }
    fn find_blocking(&self, id: EventId) -> Result<Option<Committed>, Self::Error> {
        self.0.find_blocking(id)
    }
    fn derived_id(&self, position: Position) -> EventId {
        self.0.derived_id(position)
    }
}

/// An executor that knows nothing but the log and the snapshots: as after a restart.
fn executor(annals: &Annals, snapshots: impl SnapshotStore + 'static) -> Executor<Counting> {
    Executor::new(Counting::new(annals)).with_snapshots(Arc::new(snapshots)).unwrap()
}

fn add<S: Store>(executor: &Executor<S>, times: u64) {
    for _ in 0..times {
        executor.execute_blocking(&Add { stream: "a", by: 1, how: HOW }).unwrap();
    }
    executor.settle_snapshots();
}

/// The sum after a restart, and how many events were read for it.
fn sum(annals: &Annals, shelf: &Shelf, how: How) -> (u64, u64) {
    let executor = executor(annals, shelf.clone());
    match executor.execute_blocking(&Add { stream: "a", by: 0, how }) {
        Err(annals::ExecuteError::Rejected(sum)) => {
            executor.settle_snapshots();
            (sum, executor.store().1.load(Ordering::SeqCst))
        }
        other => panic!("{other:?}"),
    }
}

/// A snapshot is saved every so many events, and spares a restart the reading of all before it.
#[test]
fn a_snapshot_spares_reading_from_the_beginning() {
    let (annals, shelf) = (Annals::in_memory().unwrap(), Shelf::default());
    let executor = executor(&annals, shelf.clone());
    add(&executor, 9);
    assert_eq!(shelf.saves.load(Ordering::SeqCst), 0);
    add(&executor, 1);
    assert_eq!(shelf.saves.load(Ordering::SeqCst), 1);
    add(&executor, 10);
    assert_eq!(shelf.saves.load(Ordering::SeqCst), 2);
    add(&executor, 4);
    // The event that the snapshot ends with, and the four after it.
    assert_eq!(sum(&annals, &shelf, HOW), (24, 5));
    // Without snapshots all are read; and then the snapshot is there again.
    shelf.kept.lock().unwrap().clear();
    assert_eq!(sum(&annals, &shelf, HOW), (24, 24));
    assert_eq!(sum(&annals, &shelf, HOW), (24, 1));
}

/// As files, through a restart of log and executor; async, too.
#[test]
fn snapshots_are_files_beside_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let annals = Options::new().segment_bytes(64 << 10).open(dir.path()).unwrap();
        let files = SnapshotFiles::open(dir.path().join("snapshots")).unwrap();
        (executor(&annals, files), annals)
    };
    let (first, annals) = open();
    add(&first, 20);
    // Not before the snapshot is there: what it holds is what there is when it is written.
    add(&first, 5);
    drop((first, annals));
    let (again, annals) = open();
    let command = Add { stream: "a", by: 5, how: HOW };
    pollster::block_on(again.execute(&command)).unwrap();
    assert_eq!(again.store().1.load(Ordering::SeqCst), 6);
    drop((again, annals));
    let (_, annals) = open();
    let saved = Shelf::default();
    assert_eq!(sum(&annals, &saved, HOW).0, 30);
}

/// Another schema, another codec and another name are other snapshots.
#[test]
fn a_snapshot_of_another_kind_is_not_used() {
    for how in [How::Bincode(2), How::Json, How::OtherName] {
        let (annals, shelf) = (Annals::in_memory().unwrap(), Shelf::default());
        add(&executor(&annals, shelf.clone()), 20);
        assert_eq!(sum(&annals, &shelf, how), (20, 20), "{how:?}");
        // It was rebuilt.
        assert_eq!(sum(&annals, &shelf, how), (20, 1), "{how:?}");
    }
}

/// Whatever is in the place of a snapshot: each bit of it flipped, cut anywhere, longer, another
/// stream's, or bytes made up with a right digest. The sum is always right. Proves G26.
#[test]
fn a_damaged_snapshot_changes_nothing() {
    let (annals, shelf) = (Annals::in_memory().unwrap(), Shelf::default());
    add(&executor(&annals, shelf.clone()), 20);
    let (key, whole) = shelf.kept.lock().unwrap().pop_first().unwrap();
    let check = |bytes: Vec<u8>, what: &str| {
        let damaged = Shelf::default();
        damaged.kept.lock().unwrap().insert(key.clone(), bytes);
        assert_eq!(sum(&annals, &damaged, HOW), (20, 20), "{what}");
    };
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            check(bytes, "flipped");
        }
        check(whole[..at].to_vec(), "cut");
    }
    check([&whole[..], &[0]].concat(), "longer");
    check(vec![0xFF; 1 << 20], "noise");
}

/// A snapshot of another log, or of events that the log lost, is told by the event that it ends
/// with. Proves G26.
#[test]
fn a_snapshot_of_events_that_are_not_there_is_not_used() {
    let shelf = Shelf::default();
    add(&executor(&Annals::in_memory().unwrap(), shelf.clone()), 20);
    for events in [0, 7, 20, 21] {
        let annals = Annals::in_memory().unwrap();
        let plain = Executor::new(annals.clone());
        for _ in 0..events {
            plain.execute_blocking(&Add { stream: "a", by: 2, how: HOW }).unwrap();
        }
        let shelf = Shelf {
            kept: Arc::new(Mutex::new(shelf.kept.lock().unwrap().clone())),
            ..shelf.clone()
        };
        let (found, _) = sum(&annals, &shelf, HOW);
        assert_eq!(found, 2 * events);
    }
}

/// G26: the disk forgets what was saved last, in part or wholly, and the log what nobody was told.
#[test]
fn snapshots_and_log_may_forget_what_they_like() {
    let mut unused = 0;
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let (log, saved) = (SimDisk::new(), SimDisk::new());
        let open = |disk: &SimDisk, seed| {
            let options = Options::new().threads(Threads::Inline).segment_bytes(64 << 10);
            let options = options.environment(Arc::new(SimEnvironment::new(seed)));
            options.open_on(Arc::new(disk.clone())).unwrap()
        };
        let (annals, times) = (open(&log, seed), 10 + random.below(40));
        let files = SnapshotFiles::on(Arc::new(saved.clone()));
        let before = executor(&annals, files);
        add(&before, times);
        // On its way, never acknowledged, perhaps saved in a snapshot.
        let command = Add { stream: "a", by: 100, how: HOW };
        log.fail_at(log.calls() + 1, Fault::EIO, Times::Forever);
        before.execute_blocking(&command).unwrap_err();
        before.settle_snapshots();
        let log = log.crash(CrashPlan::seeded(random.bits()));
        let saved = saved.crash(CrashPlan::seeded(random.bits()));
        let annals = open(&log, seed + 1000);
        let expected = times + 100 * (annals.position().get() - times);
        let files = SnapshotFiles::on(Arc::new(saved));
        let after = executor(&annals, files);
        match after.execute_blocking(&Add { stream: "a", by: 0, how: HOW }) {
            Err(annals::ExecuteError::Rejected(sum)) => assert_eq!(sum, expected, "seed {seed}"),
            other => panic!("seed {seed}: {other:?}"),
        }
        unused += u64::from(after.store().1.load(Ordering::SeqCst) >= times);
    }
    assert!((1..60).contains(&unused), "{unused}: the disk forgets now and then, not always");
}

/// A store of snapshots that fails, and a state that panics when it is read or written, are
/// nobody's error.
#[test]
fn what_goes_wrong_with_snapshots_is_no_error_of_a_command() {
    #[derive(Debug)]
    struct Broken;
    impl SnapshotStore for Broken {
        fn load(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
            Err(io::Error::other("no"))
        }
        fn save(&self, _: &str, _: &[u8]) -> io::Result<()> {
            Err(io::Error::other("no"))
        }
    }
    let annals = Annals::in_memory().unwrap();
    for times in [15, 30] {
        let executor = executor(&annals, Broken);
        add(&executor, 15);
        let refused = executor.execute_blocking(&Add { stream: "a", by: 0, how: HOW });
        assert!(matches!(refused, Err(annals::ExecuteError::Rejected(sum)) if sum == times));
    }
}

/// Many threads on a hot stream, and a snapshot at each tenth event: none is lost or doubled.
#[test]
fn saving_goes_on_beside_commands() {
    let (annals, shelf) = (Annals::in_memory().unwrap(), Shelf::default());
    let executor = executor(&annals, shelf.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let done = executor.execute_blocking(&Add { stream: "a", by: 1, how: HOW });
                    assert_eq!(done.unwrap().attempts, 1);
                }
            });
        }
    });
    executor.settle_snapshots();
    assert!(shelf.saves.load(Ordering::SeqCst) > 0);
    let (found, read) = sum(&annals, &shelf, HOW);
    assert_eq!(found, 2000);
    assert!(read < 2000, "{read}");
}

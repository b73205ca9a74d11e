//! What `docs/observability.md` lists is what a recorder and a subscriber see, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

#[path = "common/recorder.rs"]
mod recorder;

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use annals::{
    Annals, Append, Caching, Command, CommandStreams, Decision, Environment, Event, Executor,
    IdempotencyKey, Json, Memory, NewEvent, Options, PerStream, Recorded, Request, SnapshotStore,
    Snapshots, StreamId, StreamState, Threads,
};
use annals_sim::{Fault, SimDisk, Times};
use annals_testkit::{FaultPlan, FaultStore};
use recorder::{Listener, Recorder};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Money {
    In(u64),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account(u64);

impl StreamState for Account {
    type Event = Money;
    fn evolve(&mut self, recorded: &Recorded<Money>) {
        let Money::In(cents) = recorded.event;
        self.0 += cents;
    }
}

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

/// Fills an account up to so much, at most 100.
struct Fill {
    account: &'static str,
    to: u64,
}

impl CommandStreams for Fill {
    fn streams(&self) -> Vec<StreamId> {
        StreamId::new(self.account).into_iter().collect()
    }
}

impl Command for Fill {
    type State = PerStream<Account>;
    type Event = Money;
    type Rejection = ();
    fn evolve(&self, accounts: &mut PerStream<Account>, recorded: &Recorded<Money>) {
        accounts.evolve(recorded);
    }
    fn caching(&self) -> Caching<PerStream<Account>> {
        Caching::per_stream().saved::<Json>(Snapshots::new("account", 1).every(1))
    }
    fn decide(&self, accounts: &PerStream<Account>) -> Result<Decision<Money>, ()> {
        let account = id(self.account);
        let cents = accounts.of(&account).0;
        match self.to.checked_sub(cents) {
            _ if self.to > 100 => Err(()),
            Some(more) if more > 0 => Ok(Decision::one(account, Money::In(more))),
            _ => Ok(Decision::nothing()),
        }
    }
}

const fn fill(account: &'static str, to: u64) -> Fill {
    Fill { account, to }
}

/// The names in the document's tables of metrics, each with its label.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, numbers) = text.split_once("## Numbers").unwrap();
    let rows = numbers.lines().filter(|line| line.starts_with("| `") || line.starts_with("| |"));
    let (mut names, mut last) = (BTreeSet::new(), String::new());
    for row in rows {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        if !cells[1].is_empty() {
            last.clone_from(&cells[1]);
        }
        let label = cells[2].replace(" = ", "=");
        names.insert(if label.is_empty() { last.clone() } else { format!("{last}{{{label}}}") });
    }
    names
}

/// A command in each of the ways in which commands end.
fn end_in_every_way(annals: &Annals) {
    let plain = Executor::new(annals.clone());
    plain.execute_blocking(&fill("a", 1)).unwrap();
    plain.execute_blocking(&fill("a", 1)).unwrap();
    plain.execute_blocking(&fill("a", 101)).unwrap_err();
    plain.execute_blocking(&fill("", 1)).unwrap_err();
    let (key, command) = (IdempotencyKey::new("k"), fill("b", 5));
    for _ in 0..2 {
        plain.execute_blocking(Request::new(&command).key(key)).unwrap();
    }
    let more = fill("b", 6);
    let late = Request::new(&more).timeout(Duration::ZERO);
    plain.execute_blocking(late).unwrap_err();
    let faults = |plan| Executor::new(FaultStore::new(annals.clone(), plan)).attempts_max(2);
    let contended = faults(FaultPlan::new().conflict(1..=3));
    contended.execute_blocking(&fill("c", 1)).unwrap_err();
    contended.execute_blocking(&fill("c", 1)).unwrap();
    faults(FaultPlan::new().refuse(1)).execute_blocking(&fill("d", 1)).unwrap_err();
    leave_the_queue(annals);
    keep_snapshots(annals);
}

/// One is saved and loaded, one is of no use, and one cannot be saved.
fn keep_snapshots(annals: &Annals) {
    #[derive(Debug, Default)]
    struct Shelf(Mutex<Vec<Vec<u8>>>);
    impl SnapshotStore for Shelf {
        fn load(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(self.0.lock().unwrap().first().cloned())
        }
        fn save(&self, _: &str, bytes: &[u8]) -> io::Result<()> {
            let mut saved = self.0.lock().unwrap();
            saved.push(bytes.to_vec());
            if saved.len() == 1 { Ok(()) } else { Err(io::Error::other("full")) }
        }
    }
    let shelf = Arc::new(Shelf::default());
    for account in ["s", "t"] {
        let executor = Executor::new(annals.clone()).with_snapshots(shelf.clone()).unwrap();
        executor.execute_blocking(&fill(account, 1)).unwrap();
        executor.settle_snapshots();
    }
    let executor = Executor::new(annals.clone()).with_snapshots(shelf).unwrap();
    executor.execute_blocking(&fill("s", 2)).unwrap();
}

/// While a command appends, another queues behind it, and gives up.
fn leave_the_queue(annals: &Annals) {
    let other: Arc<Mutex<Option<Executor<_>>>> = Arc::default();
    let behind = other.clone();
    let store = FaultStore::new(annals.clone(), FaultPlan::new()).meanwhile(1, move |_| {
        let executor: Executor<FaultStore<Annals>> = behind.lock().unwrap().take().unwrap();
        let command = fill("e", 2);
        let mut execution = pin!(executor.execute(&command));
        let mut context = Context::from_waker(Waker::noop());
        assert!(execution.as_mut().poll(&mut context).is_pending());
    });
    let executor = Executor::new(store);
    *other.lock().unwrap() = Some(executor.clone());
    executor.execute_blocking(&fill("e", 1)).unwrap();
}

/// Held by each test: whether anybody listens to a place is found out once for the whole process,
/// and what another thread does meanwhile may hide it from a listener of one thread.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every number that the document names moves, and no other is recorded.
#[test]
fn every_number_moves_and_is_documented() {
    let _alone = alone();
    let (recorder, dir) = (Recorder::default(), tempfile::tempdir().unwrap());
    metrics::with_local_recorder(&recorder, || {
        let annals = Options::new().open(dir.path()).unwrap();
        end_in_every_way(&annals);
    });
    let seen = recorder.all();
    let names: BTreeSet<String> = seen.keys().cloned().collect();
    assert_eq!(names, documented());
    let still = seen.iter().filter(|(_, numbers)| numbers.is_empty());
    assert_eq!(still.map(|(name, _)| name).collect::<Vec<_>>(), [""; 0]);
}

/// A clock that goes on by a quarter of a second whenever somebody looks at it.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Environment for Ticking {
    fn now_micros(&self) -> i64 {
        self.0.fetch_add(250_000, Ordering::SeqCst)
    }
    fn random(&self) -> io::Result<u128> {
        Ok(4)
    }
}

/// How long a sync took is told in seconds, how large its group is in bytes.
#[test]
fn numbers_have_their_units() {
    let _alone = alone();
    let recorder = Recorder::default();
    metrics::with_local_recorder(&recorder, || {
        let options =
            Options::new().threads(Threads::Inline).environment(Arc::<Ticking>::default());
        let annals = options.open_on(Arc::new(Memory::default())).unwrap();
        let event = NewEvent::new(id("a"), "T", vec![7; 4096]).unwrap();
        annals.append(&Append::new().event(event)).wait().unwrap();
    });
    let seen = recorder.all();
    let of = |name: &str| seen[name].first().copied();
    assert_eq!(of("annals_sync_seconds"), Some(0.25));
    let bytes = of("annals_group_bytes").unwrap();
    assert!((4096.0..4096.0 + 512.0).contains(&bytes), "{bytes}");
}

/// Events that get their place while a group is synced are behind when it ends.
#[test]
fn the_lag_is_what_is_in_order_and_not_durable() {
    let _alone = alone();
    let (recorder, dir) = (Recorder::default(), tempfile::tempdir().unwrap());
    metrics::with_local_recorder(&recorder, || {
        let annals = Options::new().open(dir.path()).unwrap();
        let append = |name: &str| Append::new().event(NewEvent::new(id(name), "T", "").unwrap());
        annals.append(&append("a")).wait().unwrap();
        let (store, pending) = (annals.clone(), Arc::new(Mutex::new(Vec::new())));
        let keep = pending.clone();
        let late = [append("b"), append("c"), append("d")];
        let during_sync = move || {
            keep.lock().unwrap().extend(late.iter().map(|append| store.append(append)));
        };
        *recorder.hook.lock().unwrap() = Some(("annals_sync_seconds", Box::new(during_sync)));
        annals.append(&append("e")).wait().unwrap();
        let late: Vec<_> = pending.lock().unwrap().drain(..).collect();
        for pending in late {
            pending.wait().unwrap();
        }
    });
    let lags = &recorder.all()["annals_watermark_lag_events"];
    assert!(lags.contains(&3.0), "{lags:?}");
    assert_eq!(lags.last(), Some(&0.0));
    let commits = &recorder.all()["annals_group_commits"];
    assert_eq!(commits[..3], [1.0, 1.0, 3.0]);
}

/// A command and the group that it led are spans, with what came of them.
#[test]
fn commands_and_groups_are_spans() {
    let _alone = alone();
    let listener = Listener::default();
    let annals = tracing::subscriber::with_default(listener.clone(), || {
        let disk = Arc::new(SimDisk::new());
        let annals = Options::new().threads(Threads::Inline).open_on(disk.clone()).unwrap();
        let store = FaultStore::new(annals.clone(), FaultPlan::new().conflict(1));
        let executor = Executor::new(store);
        executor.execute_blocking(&fill("a", 7)).unwrap();
        pollster::block_on(executor.execute(&fill("a", 101))).unwrap_err();
        disk.fail_at(disk.calls() + 1, Fault::EIO, Times::Forever);
        executor.execute_blocking(&fill("a", 8)).unwrap_err();
        annals
    });
    assert_eq!(listener.all("opened").len(), 1);
    let commands = listener.all("command");
    let told = |field| commands.iter().map(|told| told.field(field)).collect::<Vec<_>>();
    assert_eq!(told("command"), ["observability::Fill"; 3]);
    assert_eq!(told("outcome"), ["accepted", "rejected", "failed"]);
    assert_eq!((told("attempts")[0], told("position")[0]), ("2", "1"));
    let conflicted = listener.all("conflicted");
    assert_eq!((conflicted.len(), conflicted[0].parent), (1, Some(2)));
    let groups = listener.all("group");
    assert_eq!(groups[0].field("commits"), "1");
    assert_eq!(groups[0].field("last_position"), "1");
    assert_eq!(groups[0].parent, None, "it belongs to everybody in it");
    assert_eq!(listener.all("the log failed; open it again").len(), 1);
    assert!(annals.stats().poisoned.is_some());
}

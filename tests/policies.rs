//! Every sync policy and way of reading, in files and in memory: several writers, readers beside
//! them, many changes of segments, and a reopening.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, Delivery, ExpectedVersion, LogQuery, NewEvent, Options, Position, ReadMode,
    StreamId, StreamQuery, StreamVersion, SyncPolicy,
};
use annals_sim::{CrashPlan, SimDisk};

const WRITERS: u64 = 3;
const APPENDS: u64 = 1_500;
/// Each append has an event for the writer's own stream and one for the stream of all.
const EVENTS: u64 = 2 * WRITERS * APPENDS;

fn own(writer: u64) -> StreamId {
    StreamId::new(&format!("writer-{writer}")).unwrap()
}

fn of_all() -> StreamId {
    StreamId::new("all").unwrap()
}

fn write(annals: &Annals, writer: u64) {
    for version in 0..APPENDS {
        // Sizes differ, so that frames end anywhere in a page.
        let payload = vec![0xA5; usize::try_from((version * 37 + writer) % 500).unwrap()];
        let append = Append::new()
            .expect(own(writer), ExpectedVersion::Exactly(StreamVersion::new(version)))
            .event(NewEvent::new(own(writer), "Happened", payload.clone()).unwrap())
            .event(NewEvent::new(of_all(), "Happened", payload).unwrap());
        let committed = annals.append(&append).wait().unwrap();
        assert!(annals.position() >= committed.last, "what is acknowledged can be seen");
        assert_eq!(annals.stream_version(&own(writer)), StreamVersion::new(version + 1));
    }
}

/// Follows the log; whatever it is shown, its stream has.
fn follow(annals: &Annals) {
    let mut subscription = annals.subscribe(Position::ZERO);
    let mut next = 1;
    while next <= EVENTS {
        if let Delivery::Event(event) = subscription.recv().unwrap() {
            assert_eq!(event.position, Position::new(next), "no gap, nothing twice");
            assert!(annals.stream_version(&event.stream) >= event.version, "{}", event.position);
            next += 1;
        }
    }
}

fn check(annals: &Annals) {
    for (stream, count) in (0..WRITERS).map(|w| (own(w), APPENDS)).chain([(of_all(), EVENTS / 2)]) {
        let events = annals.read_stream(&stream, StreamQuery::forward()).map(Result::unwrap);
        let versions: Vec<u64> = events.map(|event| event.version.get()).collect();
        assert_eq!(versions, (1..=count).collect::<Vec<_>>(), "{stream}");
    }
    assert_eq!(annals.read_all(LogQuery::forward()).count(), usize::try_from(EVENTS).unwrap());
}

fn live(annals: &Annals) {
    thread::scope(|scope| {
        let writers = (0..WRITERS).map(|writer| scope.spawn(move || write(annals, writer)));
        let writers: Vec<_> = writers.collect();
        let follower = scope.spawn(|| follow(annals));
        for writer in writers {
            writer.join().unwrap();
        }
        follower.join().unwrap();
    });
    check(annals);
}

/// G9 (one list of commits) and G12 (nothing above the watermark): under every policy.
#[test]
fn every_policy_keeps_one_list_of_commits() {
    let policies =
        [SyncPolicy::Always, SyncPolicy::Interval(Duration::from_millis(1)), SyncPolicy::Never];
    for policy in policies {
        for read_mode in [ReadMode::Map, ReadMode::Pread] {
            let dir = tempfile::tempdir().unwrap();
            let options = Options::new().sync_policy(policy).read_mode(read_mode);
            let options = options.segment_bytes(64 << 10);
            let annals = options.clone().open(dir.path()).unwrap();
            live(&annals);
            assert!(annals.stats().log.segments > 10, "{:?}", annals.stats().log);
            annals.close().unwrap();
            drop(annals);
            let annals = options.open(dir.path()).unwrap();
            assert!(annals.stats().torn_tail.is_none());
            check(&annals);
            // And goes on where it ended.
            let more = Append::new().event(NewEvent::new(of_all(), "Happened", "x").unwrap());
            let committed = annals.append(&more).wait().unwrap();
            assert_eq!(committed.first, Position::new(EVENTS + 1));
        }
    }
}

/// G9 (one list of commits) and G12 (nothing above the watermark): in memory.
#[test]
fn memory_keeps_one_list_of_commits() {
    for read_mode in [ReadMode::Map, ReadMode::Pread] {
        let options = Options::new().read_mode(read_mode).segment_bytes(64 << 10);
        live(&options.in_memory().unwrap());
    }
}

fn numbered(number: u64) -> StreamId {
    StreamId::new(&format!("number-{number}")).unwrap()
}

/// Appends one event to a new stream: the stream of number `n` has the event at position `n`.
fn append_number(annals: &Annals, number: u64) {
    let event = NewEvent::new(numbered(number), "Happened", "x").unwrap();
    annals.append(&Append::new().event(event)).wait().unwrap();
}

/// Each way in which an append becomes visible.
fn stores(dir: &tempfile::TempDir) -> [Annals; 3] {
    let open = |policy| {
        let options = Options::new().sync_policy(policy);
        options.open(dir.path().join(format!("{policy:?}"))).unwrap()
    };
    [open(SyncPolicy::Always), open(SyncPolicy::Never), Annals::in_memory().unwrap()]
}

/// G12 (nothing above the watermark): a position that can be seen is one whose stream is known,
/// however early one looks. Appends go on until somebody has looked often enough at a new one, also
/// on a machine that has no core left for who looks.
#[test]
fn what_can_be_seen_can_be_found() {
    let dir = tempfile::tempdir().unwrap();
    for (annals, count) in stores(&dir).into_iter().zip([2_000, 100_000, 100_000]) {
        let looks = AtomicU64::new(0);
        let is_enough =
            |number| number >= 10 * count || number >= count && looks.load(Relaxed) >= count / 20;
        let mut seen = 0;
        let written = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut numbers = (1..).inspect(|number| append_number(&annals, *number));
                numbers.find(|number| is_enough(*number)).unwrap()
            });
            loop {
                let is_last = writer.is_finished();
                let position = annals.position().get();
                if position > seen {
                    let version = annals.stream_version(&numbered(position));
                    assert_eq!(version, StreamVersion::new(1), "at {position}");
                    seen = position;
                    looks.fetch_add(1, Relaxed);
                }
                if is_last {
                    break writer.join().unwrap();
                }
            }
        });
        assert_eq!(seen, written);
    }
}

/// G14 (subscriptions miss nothing): a subscriber that waits hears of each event, also of one that
/// nothing follows.
#[test]
fn who_waits_hears_of_each_event() {
    const PATIENCE: Duration = Duration::from_mins(1);
    let dir = tempfile::tempdir().unwrap();
    for annals in stores(&dir) {
        let (sender, heard) = std::sync::mpsc::channel();
        let mut subscription = annals.subscribe(Position::ZERO);
        let follower = thread::Builder::new().spawn(move || {
            while let Ok(delivery) = subscription.recv() {
                if let Delivery::Event(event) = delivery {
                    sender.send(event.position).unwrap();
                }
            }
        });
        let follower = follower.unwrap();
        for number in 1..=1_000 {
            append_number(&annals, number);
            assert_eq!(heard.recv_timeout(PATIENCE), Ok(Position::new(number)));
        }
        annals.close().unwrap();
        follower.join().unwrap();
    }
}

/// What a close returned for is durable, also where acknowledging did not wait for the disk. Of G1.
#[test]
fn closing_makes_durable_under_every_policy() {
    let interval = SyncPolicy::Interval(Duration::from_hours(1));
    for policy in [SyncPolicy::Always, interval, SyncPolicy::Never] {
        let disk = SimDisk::new();
        let options = Options::new().sync_policy(policy).segment_bytes(8 << 10);
        let annals = options.clone().open_on(Arc::new(disk.clone())).unwrap();
        for number in 1..=5 {
            append_number(&annals, number);
        }
        annals.close().unwrap();
        let disk = disk.crash(CrashPlan::durable_only());
        let annals = options.open_on(Arc::new(disk)).unwrap();
        assert_eq!(annals.position(), Position::new(5), "{policy:?}");
    }
}

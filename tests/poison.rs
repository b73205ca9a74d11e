//! A failed write or sync ends acknowledgements for good, and loses nothing that was acknowledged:
//! every call of a long workload fails once, and fails for ever, with every error; then the store
//! is opened again, in the same boot, where the page cache may show what the disk does not have,
//! and after a power cut.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{sync::Arc, thread};

use annals::{
    Annals, Append, AppendError, Delivery, ExpectedVersion, OpenError, Options, Position,
    ReadError, StreamVersion, Threads,
};
use annals_sim::{CrashPlan, Fault, Fill, SimDisk, SimEnvironment, Times};
use common::{Fate, Ledger, Shown, Violation, numbered, open, stream, survive, torn};

/// What one call of a workload meets.
#[derive(Debug, Clone, Copy)]
struct Blow {
    call: u64,
    fault: Fault,
    times: Times,
}

/// A store under a blow, and what it must still keep to.
struct Patient {
    disk: SimDisk,
    blow: Blow,
    store: Option<Annals>,
    ledger: Ledger,
    seed: u64,
}

impl Patient {
    fn new(disk: SimDisk, ledger: Ledger, blow: Blow) -> Self {
        disk.record_trace(true);
        disk.fail_at(blow.call, blow.fault, blow.times);
        let mut patient = Self { disk, blow, store: None, ledger, seed: 100 };
        patient.open();
        patient
    }

    /// Opens the store; where a fault prevents it, once more.
    fn open(&mut self) {
        for _ in 0..2 {
            let before = self.disk.faults_struck();
            self.seed += 1;
            match open(&self.disk, self.seed) {
                Ok(store) => {
                    let is_struck = |disk: &SimDisk| disk.faults_struck() > before;
                    let checked = self.ledger.check(&store);
                    let is_excused = matches!(checked, Err(Violation::NotRead(ReadError::Io(_))))
                        && is_struck(&self.disk);
                    self.hold(|_| if is_excused { Ok(()) } else { checked });
                    self.store = Some(store);
                    return;
                }
                Err(OpenError::Io { .. }) if self.disk.faults_struck() > before => {}
                Err(error) => panic!("{error}: {:?}", self.blow),
            }
        }
        assert_eq!(self.blow.times, Times::Forever, "not opened: {:?}", self.blow);
    }

    fn hold(&mut self, check: impl FnOnce(&mut Ledger) -> Result<(), Violation>) {
        if let Err(violation) = check(&mut self.ledger) {
            let trace = self.disk.trace();
            let call = trace.get(usize::try_from(self.blow.call).unwrap() - 1);
            panic!("{violation}: {:?}, which was {call:?}", self.blow);
        }
    }

    /// Appends at once what shares a group.
    fn append(&mut self, group: &[&[(&str, usize)]]) {
        let Some(store) = self.store.clone() else { return };
        let was_poisoned = store.stats().poisoned.is_some();
        let before = self.disk.faults_struck();
        let started: Vec<_> = group.iter().map(|c| self.ledger.start(&store, c)).collect();
        let calls = self.disk.calls();
        for started in started {
            let outcome = self.ledger.finish(started);
            let is_poisoned = store.stats().poisoned.is_some();
            let is_struck = self.disk.faults_struck() > before;
            let is_right = match &outcome {
                // Its group may have ended before the one that failed.
                Ok(committed) => !was_poisoned && committed.last <= store.position(),
                Err(AppendError::OutcomeUnknown(_)) => !was_poisoned && is_poisoned && is_struck,
                Err(AppendError::Poisoned(_)) => is_poisoned,
                Err(AppendError::NoRoom(_)) => !is_poisoned && is_struck,
                Err(_) => false,
            };
            assert!(is_right, "{outcome:?}, poisoned {is_poisoned}: {:?}", self.blow);
        }
        // Whatever fails while a group is written and synced ends acknowledgements.
        let failed = self.failed_calls(calls);
        let is_poisoned = store.stats().poisoned.is_some();
        assert!(failed.is_empty() || is_poisoned, "{failed:?} was ignored: {:?}", self.blow);
    }

    /// The calls from there on that the log cannot go on after: failed ones, but for those that
    /// it may repeat.
    fn failed_calls(&self, calls: u64) -> Vec<String> {
        let trace = self.disk.trace().into_iter().skip(usize::try_from(calls).unwrap());
        let is_failed = |line: &String| {
            let is_repeated = line.contains(" write_at ") && line.ends_with(" error 4");
            line.contains(" error ") && !is_repeated
        };
        trace.filter(is_failed).collect()
    }

    /// Reading shows what was acknowledged, and nothing else, poisoned or not.
    fn read(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let before = self.disk.faults_struck();
        match Shown::by(&store) {
            Ok(shown) => {
                let count = |fate: &Fate| matches!(fate, Fate::Acknowledged(_));
                let acknowledged = self.ledger.fates().filter(count).count();
                let mut found = Vec::new();
                self.hold(|ledger| {
                    found = ledger.compare(&shown)?;
                    Ok(())
                });
                let found = found.iter().flatten().count();
                assert_eq!(found, acknowledged, "more than was acknowledged: {:?}", self.blow);
            }
            Err(Violation::NotRead(ReadError::Io(_))) if self.disk.faults_struck() > before => {}
            Err(violation) => panic!("{violation}: {:?}", self.blow),
        }
    }

    fn reopen(&mut self) {
        let Some(store) = self.store.take() else { return self.open() };
        let was_poisoned = store.stats().poisoned.is_some();
        let before = self.disk.faults_struck();
        let closed = store.close();
        let is_struck = self.disk.faults_struck() > before;
        assert!(closed.is_ok() || was_poisoned || is_struck, "{closed:?}: {:?}", self.blow);
        assert!(closed.is_err() || !was_poisoned, "closed well and poisoned: {:?}", self.blow);
        drop(store);
        self.open();
    }

    fn run(&mut self) {
        self.append(&[&[("a", 30)]]);
        self.append(&[&[("a", 20), ("b", 700), ("c", 40)]]);
        self.append(&[&[("a", 600)], &[("b", 50)], &[("c", 60)]]);
        self.append(&[&[("b", 2200)]]);
        self.append(&[&[("c", 2200)]]);
        self.read();
        self.reopen();
        self.append(&[&[("b", 2200)], &[("a", 2200)]]);
        self.append(&[&[("c", 9000)]]);
        self.append(&[&[("a", 30)]]);
        self.read();
    }

    /// In the same boot, and after a power cut, everything acknowledged is there; the log goes
    /// on, and what it then acknowledges survives a power cut too.
    fn recovers(mut self) {
        let call = self.blow.call;
        let crash = |disk: &SimDisk| {
            [
                CrashPlan::durable_only(),
                CrashPlan::everything(),
                CrashPlan::seeded(call),
                CrashPlan::seeded(call + 1000).filled(Fill::Stale),
            ]
            .map(|plan| disk.crash(plan))
        };
        for disk in crash(&self.disk) {
            let mut ledger = self.ledger.clone();
            self.hold(|_| survive(&disk, &mut ledger, 200));
        }
        drop(self.store.take());
        self.disk.clear_faults();
        let store = open(&self.disk, 300).unwrap();
        self.hold(|ledger| ledger.check(&store));
        for len in [600, 2200] {
            self.hold(|ledger| match ledger.append(&store, &[("a", len)]) {
                Ok(_) => Ok(()),
                Err(error) => Err(Violation::NotAppended(error)),
            });
        }
        for disk in crash(&self.disk) {
            let mut ledger = self.ledger.clone();
            self.hold(|_| survive(&disk, &mut ledger, 400));
        }
    }
}

/// Every error, once and for ever, and writes that write less than they should.
fn blows() -> Vec<(Fault, Times)> {
    let errors = Fault::ERRORS.into_iter();
    let errors = errors.flat_map(|fault| [(fault, Times::Once), (fault, Times::Forever)]);
    let short = [0, 1, 700].map(|len| (Fault::ShortWrite(len), Times::Once));
    short.into_iter().chain(errors).collect()
}

/// G4, G1 (failure poisons; acknowledged is durable): whichever call fails, with whichever error,
/// once or for ever: after the first failed write or sync of the log nothing is acknowledged,
/// reading shows what was, and nothing of that is lost.
#[test]
fn every_call_can_fail_with_every_error() {
    let mut count = 0;
    for (fault, times) in blows() {
        for call in 1.. {
            let blow = Blow { call, fault, times };
            let mut patient = Patient::new(SimDisk::new(), Ledger::default(), blow);
            patient.run();
            if patient.disk.calls() < call {
                break;
            }
            patient.recovers();
            count += 1;
        }
    }
    println!("{count} blows");
    assert!(count >= 3_000, "{count} blows");
}

/// G3 (recovery is repeatable): whichever call of a recovery fails, the next attempt in the same
/// boot succeeds and loses nothing, also not later: a torn tail whose zeroes never reached the
/// disk stays cut off.
#[test]
fn every_call_of_a_recovery_can_fail() {
    let mut count = 0;
    for seed in 0..60 {
        for fault in [Fault::EIO, Fault::ENOSPC, Fault::ShortWrite(100)] {
            for call in 1.. {
                let (disk, ledger) = torn(seed);
                let blow = Blow { call, fault, times: Times::Once };
                let mut patient = Patient::new(disk, ledger, blow);
                if patient.disk.calls() < call {
                    break;
                }
                patient.append(&[&[("a", 600)]]);
                patient.recovers();
                count += 1;
            }
        }
    }
    println!("{count} failed recoveries");
    assert!(count >= 2_200, "{count} failed recoveries");
}

/// G4 (failure poisons): a sync fails once, and the next one would succeed without having written
/// anything: nothing is acknowledged after the first, and who opens the store again in the same
/// boot and finds the commit can rely on it.
#[test]
fn what_is_found_after_a_failed_sync_is_durable() {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    ledger.append(&store, &[("a", 30)]).unwrap();
    disk.fail_at(disk.calls() + 2, Fault::EIO, Times::Once);
    let unknown = ledger.append(&store, &[("a", 40)]);
    assert!(matches!(unknown, Err(AppendError::OutcomeUnknown(_))), "{unknown:?}");
    let text = unknown.unwrap_err().to_string();
    assert!(
        text.contains("outcome")
            && text.contains("unknown")
            && text.contains("open the store again"),
        "{text}"
    );
    let poisoned = ledger.append(&store, &[("a", 50)]);
    assert!(matches!(poisoned, Err(AppendError::Poisoned(_))), "{poisoned:?}");
    let text = poisoned.unwrap_err().to_string();
    assert!(text.contains("only reads") && text.contains("open it again"), "{text}");
    assert!(store.stats().poisoned.is_some());
    assert_eq!(store.position(), Position::new(1), "the unknown one is not shown");
    let text = store.close().unwrap_err().to_string();
    assert!(text.contains("what was acknowledged is safe"), "{text}");
    let store = open(&disk, 1).unwrap();
    ledger.check(&store).unwrap();
    assert_eq!(ledger.acknowledged(), 2, "the page cache still has it");
    survive(&disk.crash(CrashPlan::durable_only()), &mut ledger, 2).unwrap();
}

/// G12, G4 (what is told is durable): a conflict with a commit that then cannot become durable is not
/// told: there may be nothing that it conflicts with.
#[test]
fn a_conflict_waits_for_what_it_conflicted_with() {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    ledger.append(&store, &[("a", 30)]).unwrap();
    let on_its_way = store.append(&numbered(3, &[("a", 30)]));
    let expected = ExpectedVersion::Exactly(StreamVersion::new(1));
    let conflicting = numbered(6, &[("a", 30)]).expect(stream("a"), expected);
    let conflict = store.append(&conflicting);
    disk.fail_at(disk.calls() + 1, Fault::EIO, Times::Forever);
    let outcome = conflict.wait();
    assert!(matches!(outcome, Err(AppendError::Poisoned(_))), "{outcome:?}");
    assert!(matches!(on_its_way.wait(), Err(AppendError::OutcomeUnknown(_))));
}

/// G4 (failure poisons): of many who wait, in threads and in tasks, nobody hears "durable" after
/// the failure, and nobody waits for ever.
#[test]
fn everyone_who_waits_hears_of_the_failure() {
    let (mut opened, mut poisoned) = (0, 0);
    for call in 10..60 {
        let disk = SimDisk::new();
        disk.fail_at(call, Fault::EIO, Times::Once);
        let options = Options::new()
            .threads(Threads::Background)
            .environment(Arc::new(SimEnvironment::new(call)))
            .segment_bytes(64 << 10);
        let Ok(store) = options.open_on(Arc::new(disk.clone())) else {
            assert_eq!(disk.faults_struck(), 1, "not opened, and nothing failed: {call}");
            continue;
        };
        opened += 1;
        let acknowledged = thread::scope(|scope| {
            let threads: Vec<_> = (0..8_u64)
                .map(|number| {
                    let store = &store;
                    scope.spawn(move || append_until_refused(store, number))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        });
        assert_eq!(store.position().get(), acknowledged);
        // A hundred rounds write and sync more than sixty times, whoever shares a group.
        assert_eq!(disk.faults_struck(), 1, "nothing failed: {call}");
        poisoned += u64::from(store.stats().poisoned.is_some());
        drop(store);
        let after = open(&disk.crash(CrashPlan::durable_only()), 1).unwrap();
        assert!(after.position().get() >= acknowledged);
    }
    println!("{opened} opened, {poisoned} of them poisoned");
    // What fails besides is a segment in the making.
    assert!(opened >= 40 && poisoned >= 30, "{opened} opened, {poisoned} of them poisoned");
}

/// Appends until that fails; says how many were acknowledged.
fn append_until_refused(store: &Annals, number: u64) -> u64 {
    for round in 0.. {
        // Without ids: each is a new one.
        let pending = store.append(&numbered(3 * number, &[("a", 100)]));
        let outcome = if round % 2 == 0 { pending.wait() } else { pollster::block_on(pending) };
        match outcome {
            Ok(_) if round < 100 => {}
            Ok(_) => return round + 1,
            Err(AppendError::OutcomeUnknown(_) | AppendError::Poisoned(_)) => return round,
            Err(other) => panic!("{other}"),
        }
    }
    0
}

/// G5 (a full disk loses nothing): where the next segment cannot be made, an append is refused
/// and says so; what was acknowledged is there, smaller appends go on while they fit, and all go
/// on when there is room.
#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    disk.set_capacity(Some(20 << 10));
    let store = open(&disk, 0).unwrap();
    let refused = loop {
        if let Err(error) = ledger.append(&store, &[("a", 1000)]) {
            break error;
        }
    };
    assert!(matches!(refused, AppendError::NoRoom(_)), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("make room") && text.contains("nothing was appended"), "{text}");
    assert_eq!(ledger.acknowledged(), 6, "two segments of three");
    assert_eq!(store.stats().poisoned, None);
    for _ in 0..3 {
        let refused = ledger.append(&store, &[("a", 1000)]);
        assert!(matches!(refused, Err(AppendError::NoRoom(_))), "{refused:?}");
        ledger.append(&store, &[("b", 16)]).unwrap();
    }
    survive_with_room(&disk.crash(CrashPlan::durable_only()), &ledger);
    disk.set_capacity(None);
    for _ in 0..10 {
        ledger.append(&store, &[("a", 1000)]).unwrap();
    }
    ledger.append(&store, &[("a", 20_000)]).unwrap();
    store.close().unwrap();
    survive_with_room(&disk, &ledger);
}

fn survive_with_room(disk: &SimDisk, ledger: &Ledger) {
    let disk = disk.crash(CrashPlan::everything());
    ledger.clone().check(&open(&disk, 1).unwrap()).unwrap();
    disk.set_capacity(None);
    survive(&disk, &mut ledger.clone(), 2).unwrap();
}

/// G5 (a full disk loses nothing): a full disk that nobody waited for is forgotten once there is
/// room: no append is refused for what was.
#[test]
fn a_disk_that_was_full_once_refuses_nothing() {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    disk.set_capacity(Some(8 << 10));
    ledger.append(&store, &[("a", 1000)]).unwrap();
    disk.set_capacity(None);
    for _ in 0..10 {
        ledger.append(&store, &[("a", 1000)]).unwrap();
    }
}

/// G5 (a full disk loses nothing): a log that cannot be made on a full disk leaves nothing that
/// would be in the way once there is room.
#[test]
fn a_log_that_finds_no_room_to_begin_begins_later() {
    for capacity in [0, 1, 4096, 8191] {
        let disk = SimDisk::new();
        disk.set_capacity(Some(capacity));
        let refused = open(&disk, 0).unwrap_err();
        assert!(matches!(refused, OpenError::Io { .. }), "{refused}");
        disk.set_capacity(None);
        survive(&disk, &mut Ledger::default(), 1).unwrap();
        open(&disk, 2).unwrap();
    }
}

/// G14, G4 (reads outlive a bad moment): a read that fails once is an error once: the subscription
/// goes on with the event that it could not read, and misses and repeats nothing.
#[test]
fn a_subscription_goes_on_after_a_read_that_failed() {
    let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
    let store = open(&disk, 0).unwrap();
    for len in [20, 2000, 30, 2000, 40] {
        ledger.append(&store, &[("a", len), ("b", len)]).unwrap();
    }
    let start = disk.calls();
    for call in 1.. {
        disk.clear_faults();
        let before = (disk.calls(), disk.faults_struck());
        disk.fail_at(before.0 + call, Fault::EIO, Times::Once);
        let mut subscription = store.subscribe(Position::ZERO);
        let (mut positions, mut errors) = (Vec::new(), 0);
        loop {
            match subscription.try_recv() {
                Ok(Some(Delivery::Event(event))) => positions.push(event.position.get()),
                Ok(_) => break,
                Err(ReadError::Io(_)) => errors += 1,
                Err(other) => panic!("{other}: read {call}"),
            }
        }
        assert_eq!(positions, (1..=10).collect::<Vec<_>>(), "read {call}");
        assert_eq!(errors, disk.faults_struck() - before.1);
        if errors == 0 {
            assert!(call > 1 && disk.calls() > start);
            break;
        }
    }
}

/// G5 (a full disk loses nothing): a log on a disk that is full to the last byte can be opened,
/// however it ended; it shows everything, and goes on when there is room.
#[test]
fn a_log_on_a_full_disk_can_be_opened() {
    for commits in 0..12 {
        for plan in [CrashPlan::durable_only(), CrashPlan::everything()] {
            let (disk, mut ledger) = (SimDisk::new(), Ledger::default());
            let store = open(&disk, 0).unwrap();
            for _ in 0..commits {
                ledger.append(&store, &[("a", 1000)]).unwrap();
            }
            let disk = disk.crash(plan);
            let sizes = disk.file_names().into_iter().map(|name| disk.read_file(&name).unwrap());
            let full = sizes.map(|bytes| u64::try_from(bytes.len()).unwrap()).sum();
            disk.set_capacity(Some(full));
            let store = open(&disk, 1).unwrap_or_else(|error| panic!("{commits}: {error}"));
            ledger.check(&store).unwrap();
            drop(store);
            disk.set_capacity(None);
            survive(&disk, &mut ledger, 2).unwrap();
        }
    }
}

/// An append that is refused for what it is does not depend on the state of the store.
#[test]
fn an_invalid_append_is_invalid_also_after_a_failure() {
    let disk = SimDisk::new();
    let store = open(&disk, 0).unwrap();
    disk.fail_at(disk.calls() + 1, Fault::EIO, Times::Forever);
    store.append(&numbered(0, &[("a", 20)])).wait().unwrap_err();
    let invalid = store.append(&Append::new()).wait();
    assert!(matches!(invalid, Err(AppendError::Invalid(_))), "{invalid:?}");
}

//! Every call of the system fails, with every error that it may fail with, once and from then on:
//! while a log begins, while segments are sealed, while it is closed and opened, while it recovers
//! from a power cut, while it recovers from one that came while it recovered, while it is read.
//!
//! Whatever fails: nothing is acknowledged after the first failure that the store told of, nothing
//! acknowledged is lost, in the same boot or after a power cut, and when the fault is over the log
//! opens and goes on. Interrupted and short calls are gone on with, and nobody notices.
//!
//! With `ANNALS_THOROUGH=1` no call and no fault is left out; otherwise samples are taken.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::print_stdout,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use annals::{Annals, AppendError, Delivery, Directory, LogQuery, OpenError, Position, ReadError};
use annals_sim::{CrashPlan, Fault, Fill, SimDisk, Times};
use common::{
    Ledger, Violation, open, survive, torn,
    workload::{in_parallel, is_thorough},
};

/// Where a fault strikes: what was there before, and what is then done.
struct Scene {
    name: &'static str,
    before: fn(u64) -> (SimDisk, Ledger),
    /// How many different disks there are before.
    variants: u64,
    /// Whether the disk has no room, so that appends may be refused although nothing fails.
    is_full: bool,
    /// How many faults strike at least, if it is done thoroughly.
    faults_min: u64,
    acts: &'static [Act],
}

#[derive(Debug, Clone, Copy)]
enum Act {
    /// Appends of one group: payload lengths.
    Append(&'static [usize]),
    /// Closes the store and opens it again.
    Reopen,
    /// Reads everything in every way.
    Read,
}

use Act::{Append, Read, Reopen};

const SCENES: &[Scene] = &[
    Scene {
        name: "begin",
        before: nothing,
        variants: 1,
        is_full: false,
        faults_min: 340,
        acts: &[Append(&[30]), Append(&[40, 50])],
    },
    Scene {
        name: "seal",
        before: a_log,
        variants: 1,
        is_full: false,
        faults_min: 1_300,
        acts: &[Append(&[2200]), Append(&[700]), Append(&[2200]), Append(&[9000]), Append(&[20])],
    },
    Scene {
        name: "seal in a group",
        before: a_log,
        variants: 1,
        is_full: false,
        faults_min: 1_150,
        acts: &[Append(&[1800, 900, 1800, 900]), Append(&[20])],
    },
    Scene {
        name: "close",
        before: a_log,
        variants: 1,
        is_full: false,
        faults_min: 2_000,
        acts: &[Append(&[30]), Reopen, Append(&[2500]), Reopen, Reopen, Append(&[20])],
    },
    Scene {
        name: "read",
        before: segments,
        variants: 1,
        is_full: false,
        faults_min: 1_600,
        acts: &[Read, Append(&[20]), Read],
    },
    Scene {
        name: "recover",
        before: torn,
        variants: 24,
        is_full: false,
        faults_min: 12_500,
        acts: &[Append(&[600]), Append(&[2200])],
    },
    Scene {
        name: "recover without images",
        before: segments_without_images,
        variants: 2,
        is_full: false,
        faults_min: 3_350,
        acts: &[Append(&[600]), Read],
    },
    Scene {
        name: "recover from a recovery",
        before: torn_twice,
        variants: 36,
        is_full: false,
        faults_min: 19_800,
        acts: &[Append(&[600]), Append(&[2200])],
    },
    Scene {
        name: "recover on a full disk",
        before: full,
        variants: 8,
        is_full: true,
        faults_min: 5_600,
        acts: &[Append(&[20]), Read],
    },
];

fn nothing(_: u64) -> (SimDisk, Ledger) {
    (SimDisk::new(), Ledger::default())
}

/// A log of a few commits, closed.
fn a_log(_: u64) -> (SimDisk, Ledger) {
    let (disk, mut ledger) = nothing(0);
    let store = open(&disk, 0).unwrap();
    for len in [20, 700, 30] {
        ledger.append(&store, &[("a", len), ("b", 16)]).unwrap();
    }
    store.close().unwrap();
    (disk, ledger)
}

/// A log of four segments with images, closed.
fn segments(_: u64) -> (SimDisk, Ledger) {
    let (disk, mut ledger) = nothing(0);
    let store = open(&disk, 0).unwrap();
    for len in [2000, 1500, 2000, 1500, 30, 2000, 40] {
        ledger.append(&store, &[("a", len), ("b", len)]).unwrap();
    }
    store.close().unwrap();
    (disk, ledger)
}

/// The same, without images; or with the leftovers of what was interrupted.
fn segments_without_images(variant: u64) -> (SimDisk, Ledger) {
    let (disk, ledger) = segments(0);
    for name in disk.file_names() {
        if name.ends_with(".idx") {
            disk.remove(&name).unwrap();
        }
    }
    if variant == 1 {
        disk.write_file("00000000000000000007.prepared", &[0; 100]);
        disk.write_file("00000000000000000001.idx.tmp", b"half an image");
        let last = disk.file_names().into_iter().rfind(|name| name.ends_with(".seg")).unwrap();
        let bytes = disk.read_file(&last).unwrap();
        disk.remove(&last).unwrap();
        disk.write_file(&format!("{last}.moved"), &bytes);
    }
    disk.sync().unwrap();
    (disk, ledger)
}

/// The same after another power cut, while it recovered.
fn torn_twice(variant: u64) -> (SimDisk, Ledger) {
    let (disk, ledger) = torn(variant % 6);
    let calls = disk.calls();
    disk.fail_at(calls + 1 + variant, Fault::EIO, Times::Forever);
    drop(open(&disk, 50));
    (disk.crash(CrashPlan::seeded(variant).filled(Fill::Stale)), ledger)
}

/// A log on a disk without any room.
fn full(variant: u64) -> (SimDisk, Ledger) {
    let (disk, mut ledger) = nothing(0);
    let store = open(&disk, 0).unwrap();
    for _ in 0..=variant {
        ledger.append(&store, &[("a", 900)]).unwrap();
    }
    let disk = disk.crash(CrashPlan::durable_only());
    let sizes = disk.file_names().into_iter().map(|name| disk.read_file(&name).unwrap().len());
    disk.set_capacity(Some(u64::try_from(sizes.sum::<usize>()).unwrap()));
    (disk, ledger)
}

/// All errors and partial writes.
fn faults() -> Vec<(Fault, Times)> {
    let short = [0, 1, 700].map(Fault::ShortWrite);
    let all = Fault::ERRORS.into_iter().chain(short);
    all.flat_map(|fault| [(fault, Times::Once), (fault, Times::Forever)]).collect()
}

/// A fault in a scene.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "it is shown when a test fails")]
struct Blow {
    scene: &'static str,
    variant: u64,
    call: u64,
    fault: Fault,
    times: Times,
}

impl Blow {
    /// Whether the call that the fault met is one that is simply gone on with.
    fn is_to_go_unnoticed(&self, usual: &Usual) -> bool {
        let line = &usual.trace[usize::try_from(self.call - 1).unwrap()];
        let is_write = line.contains(" write_at ");
        let is_partial = matches!(self.fault, Fault::ShortWrite(len) if len > 0);
        let is_interrupted = self.fault == Fault::EINTR;
        self.times == Times::Once
            && (is_write && (is_partial || is_interrupted)
                || is_interrupted && line.contains(" read_at "))
    }
}

/// A store under a fault.
struct Patient<'a> {
    blow: Blow,
    disk: SimDisk,
    /// How many calls the disk had met when the scene began.
    calls_before: u64,
    ledger: Ledger,
    store: Option<Annals>,
    seed: u64,
    /// What anybody heard of it.
    heard: Vec<String>,
    /// What happens where nothing fails, if that is known.
    usual: Option<&'a Usual>,
}

impl Patient<'_> {
    fn hold(&self, outcome: Result<(), Violation>) {
        if let Err(violation) = outcome {
            panic!("{violation}: {:?}", self.blow);
        }
    }

    fn hears(&mut self, what: &dyn std::fmt::Display) {
        let what = what.to_string();
        let place = self.heard.len();
        let is_usual = self.usual.is_none_or(|usual| usual.heard.get(place) == Some(&what));
        let is_due = is_usual || self.disk.faults_struck() > 0;
        assert!(is_due, "{what} although nothing failed: {:?}", self.blow);
        self.heard.push(what);
    }

    fn open(&mut self) {
        self.seed += 1;
        match open(&self.disk, self.seed) {
            Ok(store) => {
                match self.ledger.check(&store) {
                    Err(Violation::NotRead(error @ ReadError::Io(_))) => self.hears(&error),
                    checked => self.hold(checked),
                }
                self.store = Some(store);
            }
            Err(error @ OpenError::Io { .. }) => self.hears(&error),
            Err(error) => panic!("{error}: {:?}", self.blow),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Append(lens) => self.append(lens),
            Reopen => self.reopen(),
            Read => self.read(),
        }
    }

    /// Appends of one group. Acknowledged are those that come before the first failure.
    fn append(&mut self, lens: &[usize]) {
        let Some(store) = self.store.clone() else { return };
        let was_poisoned = store.stats().poisoned.is_some();
        let started: Vec<_> =
            lens.iter().map(|len| self.ledger.start(&store, &[("a", *len), ("c", 16)])).collect();
        for started in started {
            let outcome = self.ledger.finish(started);
            let is_poisoned = store.stats().poisoned.is_some();
            let is_right = match &outcome {
                Ok(committed) => !was_poisoned && committed.last <= store.position(),
                Err(AppendError::OutcomeUnknown(_)) => !was_poisoned && is_poisoned,
                Err(AppendError::Poisoned(_)) => is_poisoned,
                // Said before others of its group were waited for.
                Err(AppendError::NoRoom(_)) => !was_poisoned,
                Err(_) => false,
            };
            assert!(is_right, "{outcome:?}, poisoned {is_poisoned}: {:?}", self.blow);
            if let Err(error) = outcome {
                self.hears(&error);
            }
        }
    }

    fn reopen(&mut self) {
        if let Some(store) = self.store.take() {
            let was_poisoned = store.stats().poisoned.is_some();
            match store.close() {
                Ok(()) => assert!(!was_poisoned, "closed well: {:?}", self.blow),
                Err(error) => self.hears(&error),
            }
        }
        self.open();
    }

    /// Reading fails, or shows what is there; and it does not harm the store.
    fn read(&mut self) {
        let Some(store) = self.store.clone() else { return };
        let before = store.stats().poisoned;
        let forward: Result<Vec<_>, _> = store.read_all(LogQuery::forward()).collect();
        let backward: Result<Vec<_>, _> = store.read_all(LogQuery::backward()).collect();
        for read in [forward, backward] {
            match read {
                Ok(events) => {
                    assert_eq!(u64::try_from(events.len()).unwrap(), store.position().get());
                }
                Err(error @ ReadError::Io(_)) => self.hears(&error),
                Err(error) => panic!("{error}: {:?}", self.blow),
            }
        }
        let mut subscription = store.subscribe(Position::ZERO);
        loop {
            match subscription.try_recv() {
                Ok(Some(Delivery::Event(_))) => {}
                Ok(_) => break,
                Err(error @ ReadError::Io(_)) => {
                    self.hears(&error);
                    break;
                }
                Err(error) => panic!("{error}: {:?}", self.blow),
            }
        }
        assert_eq!(store.stats().poisoned, before, "reading poisons: {:?}", self.blow);
    }

    /// When the fault is over: in the same boot, and after power cuts, everything is there, and
    /// the log goes on.
    fn recovers(mut self) {
        let crash = |disk: &SimDisk| {
            let seeded = CrashPlan::seeded(self.blow.call);
            [CrashPlan::durable_only(), CrashPlan::everything(), seeded]
                .map(|plan| disk.crash(plan))
        };
        for disk in crash(&self.disk) {
            disk.set_capacity(None);
            self.hold(survive(&disk, &mut self.ledger.clone(), 200));
        }
        drop(self.store.take());
        self.disk.clear_faults();
        self.disk.set_capacity(None);
        let store =
            open(&self.disk, 300).unwrap_or_else(|error| panic!("{error}: {:?}", self.blow));
        let checked = self.ledger.check(&store);
        self.hold(checked);
        for len in [600, 2200] {
            let appended = self.ledger.append(&store, &[("a", len)]);
            self.hold(appended.map(drop).map_err(Violation::NotAppended));
        }
        for disk in crash(&self.disk) {
            self.hold(survive(&disk, &mut self.ledger.clone(), 400));
        }
    }
}

/// What happens in a scene in which nothing fails.
#[derive(Debug)]
struct Usual {
    /// What is heard: nothing, unless there is no room anyway.
    heard: Vec<String>,
    /// The calls. Up to a fault they are the same.
    trace: Vec<String>,
}

/// Goes through a scene with a fault.
fn perform<'a>(
    scene: &Scene,
    (disk, ledger): (SimDisk, Ledger),
    blow: Blow,
    usual: Option<&'a Usual>,
) -> Patient<'a> {
    let calls_before = disk.calls();
    disk.fail_at(calls_before + blow.call, blow.fault, blow.times);
    let (store, heard) = (None, Vec::new());
    let mut patient = Patient { blow, disk, calls_before, ledger, store, seed: 100, heard, usual };
    patient.open();
    for act in scene.acts {
        patient.act(*act);
    }
    patient
}

fn usual(scene: &Scene, variant: u64) -> Usual {
    let (call, fault, times) = (1 << 40, Fault::EIO, Times::Once);
    let blow = Blow { scene: scene.name, variant, call, fault, times };
    let before = (scene.before)(variant);
    before.0.record_trace(true);
    let patient = perform(scene, before, blow, None);
    assert!(patient.heard.is_empty() || scene.is_full, "{}: {:?}", scene.name, patient.heard);
    Usual { trace: patient.disk.trace(), heard: patient.heard }
}

/// One fault in one scene. Says whether there is such a call.
fn strike(scene: &Scene, blow: Blow, usual: &Usual) -> bool {
    let patient = perform(scene, (scene.before)(blow.variant), blow, Some(usual));
    if patient.disk.calls() < patient.calls_before + blow.call {
        return false;
    }
    if blow.is_to_go_unnoticed(usual) {
        assert_eq!(patient.heard, usual.heard, "{blow:?}");
    }
    patient.recovers();
    true
}

/// Every fault in one scene; one of seven, unless it is done thoroughly.
fn sweep(name: &str) {
    let scene = SCENES.iter().find(|scene| scene.name == name).unwrap();
    let cases = AtomicU64::new(0);
    let usual: Vec<_> = (0..scene.variants).map(|variant| usual(scene, variant)).collect();
    let variants = |(fault, times)| (0..scene.variants).map(move |variant| (variant, fault, times));
    let jobs: Vec<_> = (0_u64..).zip(faults().into_iter().flat_map(variants)).collect();
    in_parallel(&jobs, |(number, (variant, fault, times))| {
        for call in 1.. {
            if !is_thorough() && !(number + call).is_multiple_of(7) {
                continue;
            }
            let (scene_name, variant, fault, times) = (scene.name, *variant, *fault, *times);
            let blow = Blow { scene: scene_name, variant, call, fault, times };
            if !strike(scene, blow, &usual[usize::try_from(variant).unwrap()]) {
                assert!(call > 4, "it makes hardly any calls");
                break;
            }
            cases.fetch_add(1, Ordering::Relaxed);
        }
    });
    let cases = cases.into_inner();
    println!("{name}: {cases} faults");
    let due = if is_thorough() { scene.faults_min } else { scene.faults_min / 8 };
    assert!(cases >= due, "{name}: {cases} faults of at least {due}");
}

/// G4 (failure poisons): while a log begins.
#[test]
fn every_fault_while_a_log_begins() {
    sweep("begin");
}

/// G4 (failure poisons), G5 (no room refuses): while segments are prepared, sealed and begun, and
/// their images written.
#[test]
fn every_fault_while_segments_are_sealed() {
    sweep("seal");
    sweep("seal in a group");
}

/// G4 (failure poisons): while a log is closed and opened.
#[test]
fn every_fault_while_a_log_is_closed_and_opened() {
    sweep("close");
}

/// G4 (reading goes on), G14: while everything is read. Reading that fails harms nothing.
#[test]
fn every_fault_while_a_log_is_read() {
    sweep("read");
}

/// G3 (recovery is repeatable): while a log recovers, with and without images, with leftovers,
/// and where there is no room.
#[test]
fn every_fault_while_a_log_recovers() {
    sweep("recover");
    sweep("recover without images");
    sweep("recover on a full disk");
}

/// G3 (recovery is repeatable): while a log recovers from a power cut that came while it recovered
/// from one.
#[test]
fn every_fault_while_a_log_recovers_from_a_recovery() {
    sweep("recover from a recovery");
}

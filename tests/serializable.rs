//! Strict serializability: what many callers are told while they read and append over the same
//! streams can be explained by one after the other, in the order of the log and of time. Callers
//! append by themselves and through an executor, in memory and on a disk that crashes meanwhile.
//!
//! The checker (`common/history.rs`) is shown histories that break each of its rules.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

#[path = "common/callers.rs"]
mod callers;
#[path = "common/history.rs"]
mod history;

use std::{sync::Arc, thread};

use annals::{Annals, Executor, Options};
use annals_sim::{CrashPlan, Fault, Random, SimDisk, SimEnvironment, Times};
use callers::{Act, Scene, Wish, by_command, by_hand, call};
use history::{Anomaly, Answer, Command, Event, check};

/// How many streams the callers are at.
const STREAMS: usize = 8;

/// Callers of all kinds at once: three by hand, three through executors, two of which share one.
fn call_all(scene: &Scene, store: &Annals, seed: u64, count: u64) {
    let executors = [0, 1].map(|_| Executor::new(store.clone()).attempts_max(2));
    thread::scope(|scope| {
        for caller in 0..6_u64 {
            let executor = &executors[usize::from(caller == 5)];
            scope.spawn(move || {
                let hand = |wish: &Wish| by_hand(scene, store, wish);
                let command = |wish: &Wish| by_command(scene, executor, wish);
                let act: &Act<'_> = if caller < 3 { &hand } else { &command };
                call(scene, 10 * seed + caller, count, act);
            });
        }
    });
}

/// How many commands each test is about.
const COMMANDS: usize = 500_000;

/// G10, G20 (serializable): in memory, where nothing is waited for.
#[test]
fn callers_in_memory_are_strictly_serializable() {
    let (mut checked, mut seed) = (0, 0);
    while checked < COMMANDS {
        let (scene, store) =
            (Scene::new(STREAMS), Options::new().segment_bytes(1 << 20).in_memory());
        let store = store.unwrap();
        call_all(&scene, &store, seed, 8_000);
        checked += scene.check(&store);
        seed += 1;
    }
    println!("{checked} commands in memory");
}

/// G10, G20, G1 (serializable, durable): on a disk that dies in the middle of everything, several
/// times in the life of a log. What was told before is true after.
#[test]
fn callers_on_a_dying_disk_are_strictly_serializable() {
    let (mut checked, mut seed, mut deaths) = (0, 0, 0);
    while checked < COMMANDS {
        let (scene, mut disk) = (Scene::new(STREAMS), SimDisk::new());
        let mut random = Random::new(seed);
        for life in 0..4 {
            let environment = SimEnvironment::new(4 * seed + life);
            let options =
                Options::new().segment_bytes(256 << 10).environment(Arc::new(environment));
            let store = options.open_on(Arc::new(disk.clone())).unwrap();
            if life == 3 {
                call_all(&scene, &store, 4 * seed + life, 1_000);
                checked += scene.check(&store);
                break;
            }
            disk.fail_at(disk.calls() + 10 + random.below(4_000), Fault::EIO, Times::Forever);
            call_all(&scene, &store, 4 * seed + life, 4_000);
            deaths += u64::from(disk.faults_struck() > 0);
            drop(store);
            disk = disk.crash(CrashPlan::seeded(seed));
        }
        seed += 1;
    }
    println!("{checked} commands, {deaths} deaths");
    assert!(deaths > 0);
}

// The checker can fail.

/// A history in which everything occurs, and its log.
fn good() -> (Vec<Command>, Vec<Event>) {
    let told =
        |first, versions: &[(usize, u64)]| Answer::Committed { first, versions: versions.to_vec() };
    let conflict = Answer::Conflict { stream: 1, expected: 0, actual: 2 };
    let of = |(began, answered), read: &[(usize, u64)], wrote: &[usize], answer| {
        let (read, wrote) = (read.to_vec(), wrote.to_vec());
        Command { began, answered, read, wrote, answer }
    };
    let commands = vec![
        of((10, 20), &[(0, 0)], &[0], told(1, &[(0, 1)])),
        of((30, 80), &[(0, 1), (1, 0)], &[1, 1], told(2, &[(1, 2)])),
        of((40, 70), &[(0, 1), (2, 0)], &[2], told(4, &[(2, 1)])),
        of((50, 90), &[(1, 0)], &[0], conflict),
        of((100, 110), &[(0, 1), (1, 2), (2, 1)], &[], Answer::Decided(4)),
        of((120, 130), &[(1, 2)], &[], Answer::Rejected),
        of((140, 150), &[(0, 1), (2, 1)], &[0, 2], Answer::Unknown),
        of((160, 170), &[(1, 2)], &[1], Answer::Unknown),
        of((180, 190), &[(0, 2), (2, 2)], &[0], told(7, &[(0, 3)])),
        of((200, 210), &[(1, 2)], &[], Answer::Decided(7)),
    ];
    let log = [(0, 0, 1), (1, 1, 1), (1, 1, 2), (2, 2, 1), (6, 0, 2), (6, 2, 2), (8, 0, 3)];
    let event =
        |(position, &(command, stream, version))| Event { command, position, stream, version };
    (commands, (1..).zip(&log).map(event).collect())
}

/// What is wrong with the good history once it is changed.
fn found(change: impl FnOnce(&mut [Command], &mut Vec<Event>)) -> Anomaly {
    let (mut commands, mut log) = good();
    change(&mut commands, &mut log);
    check(&commands, &log).unwrap_err()
}

/// Adds an event behind the log's last.
fn add(log: &mut Vec<Event>, command: usize, stream: usize, version: u64) {
    log.push(Event { command, position: 8, stream, version });
}

#[test]
fn a_good_history_is_accepted() {
    let (commands, log) = good();
    assert_eq!(check(&commands, &log), Ok(()));
}

#[test]
fn what_is_wrong_with_a_log_is_named() {
    assert_eq!(found(|_, log| log[6].position = 8), Anomaly::PositionGap(8));
    assert_eq!(found(|_, log| log[6].version = 4), Anomaly::VersionGap(7));
    assert_eq!(found(|_, log| log[3].version = 2), Anomaly::VersionGap(4));
    assert_eq!(found(|_, log| add(log, 99, 0, 4)), Anomaly::Invented(8));
    assert_eq!(found(|_, log| add(log, 0, 0, 4)), Anomaly::Scattered(0), "there twice");
    assert_eq!(found(|_, log| log.truncate(2)), Anomaly::Partial(1));
    assert_eq!(found(|_, log| log.swap(2, 3)), Anomaly::Partial(1), "in two pieces");
    assert_eq!(found(|_, log| log[4].stream = 1), Anomaly::Partial(6), "of another stream");
    assert_eq!(found(|_, log| log.truncate(6)), Anomaly::Lost(8));
}

#[test]
fn a_commit_that_does_not_follow_what_it_read_is_named() {
    assert_eq!(found(|of, _| of[8].read[0].1 = 1), Anomaly::LostUpdate(8));
    assert_eq!(found(|of, _| of[8].read[1].1 = 1), Anomaly::WriteSkew(8));
    assert_eq!(found(|of, _| of[6].read.push((1, 1))), Anomaly::WriteSkew(6), "half of a commit");
    assert_eq!(found(|of, _| of[1].read[0].1 = 2), Anomaly::ReadAhead(1));
    let circle = found(|of, _| {
        of[1].read.push((2, 1));
        of[2].read.push((1, 2));
    });
    assert_eq!(circle, Anomaly::ReadAhead(1), "each read what the other wrote");
    let replayed = found(|_, log| {
        log[4..].rotate_right(1);
        log.iter_mut().zip(1..).for_each(|(event, position)| event.position = position);
    });
    assert_eq!(replayed, Anomaly::ReadAhead(8), "in another order");
}

#[test]
fn an_answer_that_is_not_true_is_named() {
    let misplaced = |change: fn(&mut u64, &mut Vec<(usize, u64)>)| {
        found(|of, _| {
            let Answer::Committed { first, versions } = &mut of[8].answer else { panic!() };
            change(first, versions);
        })
    };
    assert_eq!(misplaced(|first, _| *first = 6), Anomaly::Misplaced(8));
    assert_eq!(misplaced(|_, versions| versions[0].1 = 2), Anomaly::Misplaced(8));
    let told = Answer::Committed { first: 8, versions: vec![(1, 3)] };
    assert_eq!(found(|of, _| of[7].answer = told), Anomaly::Lost(7), "never written");
    let risen = |answer| {
        found(|of, log| {
            of[7].answer = answer;
            add(log, 7, 1, 3);
        })
    };
    assert_eq!(risen(Answer::Rejected), Anomaly::Risen(7));
    let conflict = |stream, expected, actual| Answer::Conflict { stream, expected, actual };
    assert_eq!(risen(conflict(1, 1, 2)), Anomaly::Risen(7));
    let refused = |answer| found(|of, _| of[3].answer = answer);
    assert_eq!(refused(conflict(1, 2, 2)), Anomaly::Unjustified(3), "no conflict");
    assert_eq!(refused(conflict(1, 0, 3)), Anomaly::Unjustified(3), "never there");
    assert_eq!(refused(conflict(0, 1, 2)), Anomaly::Unjustified(3), "not there yet");
    assert_eq!(refused(conflict(0, 1, 0)), Anomaly::Unjustified(3), "gone before");
    assert_eq!(found(|of, _| of[5].read[0].1 = 1), Anomaly::Unjustified(5), "of what was before");
}

#[test]
fn a_decision_on_what_never_was_is_named() {
    assert_eq!(found(|of, _| of[4].read[1].1 = 0), Anomaly::NeverSo(4), "of two moments");
    assert_eq!(found(|of, _| of[9].read[0].1 = 3), Anomaly::NeverSo(9), "of what was undone");
    assert_eq!(found(|of, _| of[4].answer = Answer::Decided(2)), Anomaly::SawHalf(4));
    assert_eq!(found(|of, _| of[9].answer = Answer::Decided(9)), Anomaly::SawHalf(9));
}

/// G10 (serializable): the checker finds answers that fit the log and not the time.
#[test]
fn an_order_that_is_not_that_of_time_is_named() {
    assert_eq!(found(|of, _| of[1].began = 75), Anomaly::OutOfTime(1));
    assert_eq!(found(|of, _| of[9].answer = Answer::Decided(4)), Anomaly::Stale(9));
    let foresight = found(|of, _| (of[2].began, of[2].answered) = (115, 116));
    assert_eq!(foresight, Anomaly::Foresight(4));
    let risen = found(|_, log| add(log, 7, 1, 3));
    assert_eq!(risen, Anomaly::OutOfTime(8), "unknown, and there only after others");
}

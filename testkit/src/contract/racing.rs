//! Checks by many threads at once.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use annals_event::{Append, ExpectedVersion, ReadFrom, Store, StreamVersion};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, stream},
    violation::{Verdict, Violation, holds, same},
};

const THREADS: usize = 4;

/// Runs something in several threads, each with its number, and returns what they say. None
/// begins before all are there.
fn in_threads<T: Send>(
    run: impl Fn(usize) -> Result<T, Violation> + Sync,
) -> Result<Vec<T>, Violation> {
    let (run, all) = (&run, &Barrier::new(THREADS));
    thread::scope(|scope| {
        let begin = |number| {
            scope.spawn(move || {
                all.wait();
                run(number)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(begin).collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err(Violation::new("a thread panicked in a call of the store")),
        });
        // All are joined, whatever the first says.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Of appends at once that expect the same of a stream, one is accepted, and the others hear of
/// it.
///
/// # Errors
/// It is not so.
pub fn of_appends_that_expect_the_same_one_wins<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    const ROUNDS: u64 = 25;
    let won = in_threads(|thread| {
        let mut won = 0;
        for round in 0..ROUNDS {
            let own = format!("own-{thread}");
            let append = Append::new()
                .event(event("contended", "x"))
                .event(event(&own, "x"))
                .expect(stream("contended"), exactly(round));
            if let Ok(committed) = subject.try_append(&append)? {
                won += 1;
                let version = committed.versions.first().map(|version| version.get());
                same("the version of the one that won", &Some(round + 1), &version)?;
            }
        }
        Ok(won)
    })?;
    let accepted: u64 = won.iter().sum();
    same("the version", &vec![accepted], &subject.versions(&["contended"])?)?;
    // Some thread was first in round 0, and the version rose with each one accepted.
    holds((1..=ROUNDS).contains(&accepted), || {
        format!("{accepted} appends were accepted in {ROUNDS} rounds")
    })?;
    for (thread, won) in won.into_iter().enumerate() {
        same("a thread's own stream", &vec![won], &subject.versions(&[&format!("own-{thread}")])?)?;
    }
    Ok(())
}

/// Streams that are always written together are never seen apart, while others write.
///
/// # Errors
/// It is not so.
pub fn streams_are_read_at_one_position<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    const READS: u64 = 100;
    const APPENDS_MAX: u64 = 5_000;
    let reading = AtomicUsize::new(THREADS / 2);
    in_threads(|thread| {
        if thread % 2 == 0 {
            // As long as anyone reads.
            for _ in 0..APPENDS_MAX {
                subject.append_to(&["a", "b"])?;
                if reading.load(Ordering::Acquire) == 0 {
                    break;
                }
            }
            return Ok(());
        }
        let verdict =
            (0..READS).try_fold(StreamVersion::ZERO, |known, _| read_both(subject, known));
        reading.fetch_sub(1, Ordering::Release);
        verdict.map(|_| ())
    })?;
    Ok(())
}

/// Reads both streams after a version that is known of both.
fn read_both<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
    known: StreamVersion,
) -> Result<StreamVersion, Violation> {
    let from = ["a", "b"].map(|name| ReadFrom { stream: stream(name), after: known });
    let snapshot = subject.read_at(&from, None)?;
    let [a, b] = snapshot.versions.as_slice() else {
        return Err(Violation::new("a read of two streams does not have two versions"));
    };
    holds(a == b, || format!("streams that are written together were read at {a} and {b}"))?;
    let events = u64::try_from(snapshot.events.len()).unwrap_or(u64::MAX);
    same("events of both", &(2 * (a.get().saturating_sub(known.get()))), &events)?;
    if let Some(last) = snapshot.events.last() {
        same("the position of a read", &last.position, &snapshot.position)?;
    }
    let again = subject.read_at(&from, Some(snapshot.position))?;
    same("the same streams at the same position", &snapshot, &again)?;
    Ok(*a)
}

/// Decisions on two streams, each written to one of them, are as if made one after the other: of
/// a fixed number of things, as many are given out as there are.
///
/// # Errors
/// It is not so.
pub fn decisions_on_two_streams_are_serializable<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    const THINGS: u64 = 40;
    const ATTEMPTS_MAX: u64 = 10_000;
    in_threads(|thread| {
        let own = if thread % 2 == 0 { "a" } else { "b" };
        for _ in 0..ATTEMPTS_MAX {
            let snapshot = subject.read(&["a", "b"])?;
            if snapshot.versions.iter().map(|version| version.get()).sum::<u64>() >= THINGS {
                return Ok(());
            }
            let mut append = Append::new().event(event(own, "x"));
            for (name, version) in ["a", "b"].into_iter().zip(snapshot.versions) {
                append = append.expect(stream(name), ExpectedVersion::Exactly(version));
            }
            let _ = subject.try_append(&append)?;
        }
        Err(Violation::new("conflicts without end"))
    })?;
    let given: u64 = subject.versions(&["a", "b"])?.iter().sum();
    same("things given out", &THINGS, &given)
}

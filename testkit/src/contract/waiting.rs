//! Checks of an append's place, its durability, and who waits for it.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
};

use annals_event::{Append, AppendFailure, Position, Sequenced, Store};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, stream},
    violation::{Verdict, Violation, holds, same},
};

/// An append that has its place is read by the next decision and checked by the next append,
/// whether anyone has waited for it or not.
///
/// # Errors
/// It is not so.
pub fn what_has_its_place_is_read<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    let first = Append::new().event(event("a", "1")).expect(stream("a"), exactly(0));
    let Sequenced { committed, ticket, .. } = placed(subject, &first)?;
    same("its position", &Position::new(1), &committed.first)?;
    same("the version before it is durable", &vec![1], &subject.versions(&["a"])?)?;
    let again = subject.try_append(&first)?;
    holds(again.is_err(), || "an append did not see the one before it".to_owned())?;
    let second = Append::new().event(event("a", "2")).expect(stream("a"), exactly(1));
    let Sequenced { ticket: second, .. } = placed(subject, &second)?;
    // In the other order: the later one includes the earlier one.
    subject.wait(second)?;
    subject.wait(ticket)?;
    same("the version after both", &vec![2], &subject.versions(&["a"])?)
}

/// Nobody need wait: the append happens all the same.
///
/// # Errors
/// It is not so.
pub fn a_dropped_ticket_undoes_nothing<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    for _ in 0..3 {
        drop(placed(subject, &Append::new().event(event("a", "x")))?);
    }
    same("the version", &vec![3], &subject.versions(&["a"])?)?;
    subject.settle(Position::new(3))?;
    same("the version when it is settled", &vec![3], &subject.versions(&["a"])?)?;
    let committed = subject.append_to(&["a"])?;
    same("the next position", &Position::new(4), &committed.first)
}

/// An append that is dropped on its way happened wholly or not at all, and the store goes on.
///
/// # Errors
/// It is not so.
pub fn a_dropped_append_happened_wholly_or_not<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    // Calls that block cannot be dropped.
    let Some(runner) = subject.runner() else { return Ok(()) };
    for polls in 0..5_u64 {
        let append = Append::new().event(event("a", "x")).event(event("b", "x"));
        runner.run(async {
            let mut future = pin!(subject.store().append(&append));
            // Looked at in vain, as by someone who gives up.
            poll_fn(|_| {
                let mut context = Context::from_waker(Waker::noop());
                let _ = (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready());
                Poll::Ready(())
            })
            .await;
        });
        let versions = subject.versions(&["a", "b"])?;
        holds(versions.windows(2).all(|pair| pair.first() == pair.last()), || {
            format!("an append that was dropped is there by half: versions {versions:?}")
        })?;
        let committed = subject.append_to(&["a", "b"])?;
        let found: Vec<u64> = committed.versions.iter().map(|version| version.get()).collect();
        let next: Vec<u64> = versions.iter().map(|version| version + 1).collect();
        same("versions of the next append", &next, &found)?;
    }
    Ok(())
}

/// Settling returns: before there is anything, and for everything that is there.
///
/// # Errors
/// It is not so.
pub fn settling_waits_for_what_is_there<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    subject.settle(Position::ZERO)?;
    let Sequenced { ticket, .. } = placed(subject, &Append::new().event(event("a", "x")))?;
    subject.settle(Position::new(1))?;
    subject.wait(ticket)?;
    subject.settle(Position::new(1))
}

fn placed<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
    append: &Append,
) -> Result<Sequenced<S::Ticket>, Violation> {
    subject.sequence(append).map_err(|failure| match failure {
        AppendFailure::Conflict { conflicts, .. } => {
            Violation::new(format!("an append conflicted with {conflicts:?}"))
        }
        AppendFailure::Store(error) => Violation::failed("an append", &error),
    })
}

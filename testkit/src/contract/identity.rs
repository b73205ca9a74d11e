//! Checks of event ids.

use std::collections::BTreeSet;

use annals_event::{Append, AppendFailure, Store};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, id, stream},
    violation::{Verdict, Violation, holds, same},
};

/// An append whose events have ids is not repeated: it returns what it returned first, although
/// its streams have moved since.
///
/// # Errors
/// It is not so.
pub fn an_append_with_ids_happens_once<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    let append = Append::new()
        .event(event("a", "1").with_id(id(1)))
        .event(event("b", "2").with_id(id(2)))
        .expect(stream("a"), exactly(0));
    let first = subject.append(&append)?;
    same("the answer to a repetition", &first, &subject.append(&append)?)?;
    subject.append_to(&["a", "b"])?;
    same("the answer to a late repetition", &first, &subject.append(&append)?)?;
    same("versions", &vec![2, 2], &subject.versions(&["a", "b"])?)
}

/// A commit is found by the id of any of its events, as it was answered first; a repetition says
/// that it is one.
///
/// # Errors
/// It is not so.
pub fn a_commit_is_found_by_its_ids<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    let append =
        Append::new().event(event("a", "1").with_id(id(1))).event(event("b", "2").with_id(id(2)));
    same("what is found in an empty store", &None, &subject.find(id(1))?)?;
    let mut answers = Vec::new();
    for is_repeat in [false, true] {
        let sequenced = subject.sequence(&append);
        let sequenced = sequenced.map_err(|_| Violation::new("an append was refused"))?;
        same("whether it is a repetition", &is_repeat, &sequenced.is_repeat)?;
        subject.wait(sequenced.ticket)?;
        answers.push(sequenced.committed);
        subject.append_to(&["a", "b"])?;
    }
    let first = answers.first().cloned();
    for number in [1, 2] {
        same("what is found by an id", &first, &subject.find(id(number))?)?;
    }
    same("what is found by an unknown id", &None, &subject.find(id(3))?)
}

/// An id that names an event already cannot be given to another.
///
/// # Errors
/// It is not so.
pub fn an_id_names_one_event<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    let one = event("a", "1").with_id(id(1));
    let two = event("a", "2").with_id(id(2));
    subject.append(&Append::new().events([one.clone(), two.clone()]))?;
    let others = [
        ("in another stream", vec![event("b", "1").with_id(id(1)), two.clone()]),
        ("and a new one", vec![one.clone(), event("a", "3").with_id(id(3))]),
        ("in another order", vec![two, one]),
    ];
    for (what, events) in others {
        match subject.sequence(&Append::new().events(events)) {
            Err(AppendFailure::Store(_)) => {}
            Err(AppendFailure::Conflict { .. }) => {
                return Err(Violation::new(format!("an id again {what} is called a conflict")));
            }
            Ok(_) => return Err(Violation::new(format!("an id again {what} was taken"))),
        }
    }
    same("versions", &vec![2, 0], &subject.versions(&["a", "b"])?)
}

/// An event without an id has the one that the store derives from its position, and no other
/// event has it.
///
/// # Errors
/// It is not so.
pub fn events_without_ids_have_derived_ones<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    subject.append_to(&["a", "b", "a"])?;
    subject.append_to(&["a"])?;
    let events = subject.read(&["a", "b"])?.events;
    for event in &events {
        let derived = subject.store().derived_id(event.position);
        same("the id of an event that was given none", &derived, &event.id)?;
    }
    let ids: BTreeSet<_> = events.iter().map(|event| event.id).collect();
    holds(ids.len() == 4, || format!("4 events have {} ids", ids.len()))
}

//! Checks of what an append does.

use annals_event::{Append, AppendFailure, Committed, ExpectedVersion, Position, Store};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, id, stream},
    violation::{Verdict, Violation, holds, same},
};

/// Positions are 1, 2, 3, versions of each stream as well; an append says which are its own.
///
/// # Errors
/// It is not so.
pub fn positions_and_versions_have_no_gaps<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    let appends: [(&[&str], _, _, &[u64]); 3] = [
        (&["b", "a", "b"], 1, 3, &[2, 1]),
        (&["a"], 4, 4, &[2]),
        (&["c", "a", "b", "c"], 5, 8, &[2, 3, 3]),
    ];
    for (streams, first, last, versions) in appends {
        let Committed { first: found_first, last: found_last, versions: found, .. } =
            subject.append_to(streams)?;
        same("the first position", &Position::new(first), &found_first)?;
        same("the last position", &Position::new(last), &found_last)?;
        let found: Vec<u64> = found.iter().map(|version| version.get()).collect();
        same("versions, in the order of the first events", &versions.to_vec(), &found)?;
    }
    // A conflict and a refusal use up no position.
    let conflicting = Append::new().event(event("a", "no")).expect(stream("a"), exactly(0));
    holds(subject.try_append(&conflicting)?.is_err(), || "a conflict was not seen".to_owned())?;
    holds(subject.sequence(&Append::new()).is_err(), || "an empty append was taken".to_owned())?;
    subject.append_to(&["a"])?;
    let snapshot = subject.read(&["a", "b", "c"])?;
    let positions: Vec<u64> = snapshot.events.iter().map(|event| event.position.get()).collect();
    same("positions", &(1..=9).collect(), &positions)?;
    for (name, version) in [("a", 4), ("b", 3), ("c", 2)] {
        let events = snapshot.events.iter().filter(|event| event.stream.as_str() == name);
        let versions: Vec<u64> = events.map(|event| event.version.get()).collect();
        same("versions of events", &(1..=version).collect(), &versions)?;
    }
    Ok(())
}

/// Many events over many streams are one commit.
///
/// # Errors
/// It is not so.
pub fn an_append_of_many_events_is_one_commit<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    const STREAMS: u64 = 300;
    const EACH: u64 = 4;
    let name = |number: u64| format!("stream-{number}");
    let events = (0..STREAMS * EACH).map(|n| event(&name(n % STREAMS), &n.to_string()));
    let mut append = Append::new().events(events);
    for number in 0..STREAMS {
        append = append.expect(stream(&name(number)), ExpectedVersion::NoStream);
    }
    let committed = subject.append(&append)?;
    same("the last position", &Position::new(STREAMS * EACH), &committed.last)?;
    same("how many versions", &300, &committed.versions.len())?;
    let names: Vec<String> = (0..STREAMS).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let snapshot = subject.read(&names)?;
    let payloads = snapshot.events.iter().map(|event| event.payload.clone());
    let expected = (0..STREAMS * EACH).map(|n| n.to_string().into_bytes());
    holds(payloads.eq(expected), || "the events of a large append are not all there".to_owned())?;
    let is_one_time = snapshot.events.iter().all(|event| event.time == committed.time);
    holds(is_one_time, || "events of one commit have different times".to_owned())?;
    let repeated = subject.try_append(&append)?.err();
    let conflicts = repeated.map(|(conflicts, _)| conflicts.len());
    same("how many conflicts of 300 streams that are there", &Some(300), &conflicts)
}

/// An append that conflicts in one stream changes none.
///
/// # Errors
/// It is not so.
pub fn a_conflict_changes_nothing<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    subject.append_to(&["a", "b", "c"])?;
    for wrong in ["a", "b", "c"] {
        let mut append = Append::new();
        for name in ["a", "b", "c"] {
            let version = if name == wrong { 7 } else { 1 };
            append = append.event(event(name, "no")).expect(stream(name), exactly(version));
        }
        let outcome = subject.try_append(&append)?;
        holds(outcome.is_err(), || format!("a conflict in stream {wrong} was not seen"))?;
        same("versions after a conflict", &vec![1, 1, 1], &subject.versions(&["a", "b", "c"])?)?;
        let events = subject.read(&["a", "b", "c"])?.events;
        same("how many events after a conflict", &3, &events.len())?;
    }
    Ok(())
}

/// What no store can take is an error of the store, not a conflict, and changes nothing.
///
/// # Errors
/// It is not so.
pub fn an_invalid_append_is_refused_and_changes_nothing<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    subject.append_to(&["a"])?;
    let one = || Append::new().event(event("a", "no"));
    let invalid = [
        ("without events", Append::new().expect(stream("a"), ExpectedVersion::Any)),
        (
            "that expects two things of one stream",
            one().expect(stream("a"), exactly(1)).expect(stream("a"), exactly(2)),
        ),
        ("with ids on some events", one().event(event("a", "no").with_id(id(1)))),
        (
            "with an id twice",
            Append::new()
                .events([event("a", "no").with_id(id(1)), event("b", "no").with_id(id(1))]),
        ),
        ("with a tag that is no name", Append::new().event(event("a", "no").with_tag("\u{7}"))),
    ];
    for (what, append) in invalid {
        match subject.sequence(&append) {
            Err(AppendFailure::Store(_)) => {}
            Err(AppendFailure::Conflict { .. }) => {
                return Err(Violation::new(format!("an append {what} is called a conflict")));
            }
            Ok(_) => return Err(Violation::new(format!("an append {what} was taken"))),
        }
    }
    same("versions after refusals", &vec![1, 0], &subject.versions(&["a", "b"])?)?;
    let committed = subject.append_to(&["a"])?;
    same("the position after refusals", &Position::new(2), &committed.first)
}

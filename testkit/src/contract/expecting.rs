//! Checks of expectations and conflicts.

use annals_event::{Append, Conflict, ExpectedVersion, ReadFrom, Store, StreamVersion};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, stream},
    violation::{Verdict, Violation, holds, same},
};

/// Each expectation holds or conflicts as it says, of streams without events, with one and with
/// more; of streams that the append writes to and of those that it does not.
///
/// # Errors
/// It is not so.
pub fn expectations_mean_what_they_say<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    use ExpectedVersion::{Any, Exists, NoStream};
    let mut round = 0;
    for version in 0..3_u64 {
        for expected in [Any, NoStream, Exists, exactly(0), exactly(1), exactly(2), exactly(9)] {
            for is_written in [true, false] {
                round += 1;
                let (name, other) = (format!("a-{round}"), format!("b-{round}"));
                for _ in 0..version {
                    subject.append_to(&[&name])?;
                }
                let written = if is_written { &name } else { &other };
                let append =
                    Append::new().event(event(written, "x")).expect(stream(&name), expected);
                let outcome = subject.try_append(&append)?;
                let should = expected.holds(StreamVersion::new(version));
                let role = if is_written { "written to" } else { "only read" };
                holds(outcome.is_ok() == should, || {
                    let happened = if should { "conflicted" } else { "was appended" };
                    format!(
                        "an append that expects {expected} of a stream at version {version}, \
                         which is {role}, {happened}"
                    )
                })?;
                let expected = version + u64::from(should && is_written);
                same("the version after it", &vec![expected], &subject.versions(&[&name])?)?;
            }
        }
    }
    Ok(())
}

/// A stream that an append only read is checked as well, and stays as it is.
///
/// # Errors
/// It is not so.
pub fn streams_that_are_only_read_are_checked<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    subject.append_to(&["read"])?;
    let write = |version| {
        let append = Append::new().event(event("written", "x"));
        append.expect(stream("read"), exactly(version)).expect(stream("none"), exactly(0))
    };
    subject.append(&write(1))?;
    subject.append_to(&["read"])?;
    let outcome = subject.try_append(&write(1))?;
    holds(outcome.is_err(), || "a stream moved that was only read, and nobody saw".to_owned())?;
    subject.append(&write(2))?;
    let versions = subject.versions(&["read", "written", "none"])?;
    same("versions", &vec![2, 2, 0], &versions)
}

/// A conflict names every stream that was not as expected, and no other.
///
/// # Errors
/// It is not so.
pub fn every_stream_that_was_not_as_expected_is_named<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    subject.append_to(&["a", "b", "c", "c"])?;
    let append = Append::new()
        .event(event("a", "no"))
        .event(event("d", "no"))
        .expect(stream("a"), exactly(5))
        .expect(stream("b"), exactly(1))
        .expect(stream("c"), ExpectedVersion::NoStream)
        .expect(stream("d"), ExpectedVersion::Exists)
        .expect(stream("e"), ExpectedVersion::Any);
    let Err((mut conflicts, _)) = subject.try_append(&append)? else {
        return Err(Violation::new("three expectations that do not hold were not seen"));
    };
    conflicts.sort_by(|a, b| a.stream.cmp(&b.stream));
    let conflict = |name, expected, actual| {
        let actual = StreamVersion::new(actual);
        Conflict { stream: stream(name), expected, actual }
    };
    let expected = vec![
        conflict("a", exactly(5), 1),
        conflict("c", ExpectedVersion::NoStream, 2),
        conflict("d", ExpectedVersion::Exists, 0),
    ];
    same("conflicts", &expected, &conflicts)
}

/// What a conflict calls actual is what a read at its position shows, and an append that expects
/// it goes through.
///
/// # Errors
/// It is not so.
pub fn a_conflict_says_what_there_is<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    subject.append_to(&["other", "a", "a", "a"])?;
    let write = |version: StreamVersion| {
        let expected = ExpectedVersion::Exactly(version);
        Append::new().event(event("a", "x")).expect(stream("a"), expected)
    };
    let Err((conflicts, position)) = subject.try_append(&write(StreamVersion::new(1)))? else {
        return Err(Violation::new("a conflict was not seen"));
    };
    let Some(Conflict { actual, .. }) = conflicts.first() else {
        return Err(Violation::new("a conflict names no stream"));
    };
    subject.settle(position)?;
    let from = ReadFrom { stream: stream("a"), after: StreamVersion::ZERO };
    let snapshot = subject.read_at(&[from], Some(position))?;
    let read = snapshot.versions.first().copied();
    same("the version at the position of a conflict", &Some(*actual), &read)?;
    subject.append(&write(*actual)).map(|_| ())
}

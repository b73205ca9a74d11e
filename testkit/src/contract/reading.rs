//! Checks of what is read.

use annals_event::{
    Append, CodecId, EventType, NewEvent, Position, ReadFrom, RecordedEvent, SchemaVersion, Store,
    StreamVersion, limits,
};

use crate::contract::{
    subject::{Runner, Subject, event, from_start, id, stream, told_apart},
    violation::{Verdict, Violation, holds, same},
};

/// A stream that nobody wrote to has no events and is at version 0.
///
/// # Errors
/// It is not so.
pub fn a_stream_without_events_is_at_version_zero<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    let snapshot = subject.read(&["a", "b"])?;
    same("the position of an empty store", &Position::ZERO, &snapshot.position)?;
    same("events", &Vec::new(), &snapshot.events)?;
    same("versions", &vec![0, 0], &subject.versions(&["a", "b"])?)?;
    subject.append_to(&["a"])?;
    same("versions beside a stream with an event", &vec![0, 1], &subject.versions(&["b", "a"])?)
}

/// An event comes back with everything that it was given.
///
/// # Errors
/// It is not so.
pub fn what_was_appended_is_read<S: Store, R: Runner>(subject: &Subject<'_, S, R>) -> Verdict {
    let plain = event("a", "plain");
    let full = NewEvent {
        stream: stream("a"),
        event_type: event_type("Other")?,
        codec: CodecId(200),
        schema_version: SchemaVersion(7),
        payload: b"full".to_vec(),
        metadata: b"who and why".to_vec(),
        tags: vec!["one".to_owned(), "two".to_owned()],
        id: Some(id(1)),
    };
    let first = subject.append(&Append::new().event(plain.clone()))?;
    let second = subject.append(&Append::new().event(full.clone()))?;
    let events = subject.read(&["a"])?.events;
    let [read_plain, read_full] = events.as_slice() else {
        return Err(Violation::new(format!("expected 2 events, found {events:?}")));
    };
    let derived = subject.store().derived_id(Position::new(1));
    for (given, read, committed, id, number) in
        [(plain, read_plain, first, derived, 1), (full, read_full, second, id(1), 2)]
    {
        let expected = RecordedEvent {
            stream: given.stream,
            version: StreamVersion::new(number),
            position: Position::new(number),
            time: committed.time,
            id,
            event_type: given.event_type,
            codec: given.codec,
            schema_version: given.schema_version,
            payload: given.payload,
            metadata: given.metadata,
            tags: given.tags,
        };
        same("an event", &expected, read)?;
    }
    Ok(())
}

/// Names are told apart by every byte, whatever characters they have, and contents are any bytes.
///
/// # Errors
/// It is not so.
pub fn any_name_and_any_bytes_come_back<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    let longest = "l".repeat(limits::NAME_BYTES_MAX);
    let names = [
        "account",
        "Account",
        "ACCOUNT",
        "account ",
        " account",
        "acc_unt",
        "acc%unt",
        "acc*",
        "acc?",
        "[a]",
        "'; --",
        "\\",
        "\"",
        "é",
        "e\u{301}",
        "日本",
        "😀",
        longest.as_str(),
    ];
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    for (name, version) in names.iter().zip(1..) {
        let mut new = event(name, "");
        new.payload = bytes.repeat(version % 3);
        new.metadata = bytes.repeat(version % 2);
        new.tags = vec!["é".to_owned(); version % 3];
        new.event_type = event_type(name)?;
        subject.append(&Append::new().event(new.clone()))?;
        let read = subject.read(&[name])?;
        let [found] = read.events.as_slice() else {
            let count = read.events.len();
            return Err(Violation::new(format!("stream {name:?} has {count} events, not 1")));
        };
        same("the stream of an event", &new.stream, &found.stream)?;
        same("its type", &new.event_type, &found.event_type)?;
        same("its tags", &new.tags, &found.tags)?;
        holds(new.payload == found.payload && new.metadata == found.metadata, || {
            format!("the contents of an event of stream {name:?} are not what was appended")
        })?;
    }
    let large = vec![0xA5; 1 << 20];
    let mut new = event("large", "");
    new.payload.clone_from(&large);
    subject.append(&Append::new().event(new))?;
    let read = subject.read(&["large"])?.events;
    holds(read.iter().all(|event| event.payload == large) && read.len() == 1, || {
        "an event of 1 MiB is not what was appended".to_owned()
    })
}

/// A read leaves out what is known already, and its versions count it.
///
/// # Errors
/// It is not so.
pub fn a_read_begins_after_the_version_asked_for<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    for payload in ["1", "2", "3"] {
        subject.append(&Append::new().event(event("a", payload)).event(event("b", payload)))?;
    }
    for (after, expected) in [(0, "1 2 3"), (1, "2 3"), (2, "3"), (3, ""), (9, "")] {
        let after = StreamVersion::new(after);
        let from = ReadFrom { stream: stream("a"), after };
        let snapshot = subject.read_at(&[from], None)?;
        let found: Vec<_> =
            told_apart(&snapshot.events).into_iter().map(|(_, payload)| payload).collect();
        same(&format!("events after version {after}"), &expected.to_owned(), &found.join(" "))?;
        same("the version", &StreamVersion::new(3), &first(&snapshot.versions)?)?;
    }
    let from = ReadFrom { stream: stream("b"), after: StreamVersion::new(2) };
    let events = subject.read_at(&[from_start("a"), from], None)?.events;
    let expected = [("a", "1"), ("a", "2"), ("a", "3"), ("b", "3")];
    same("events of two streams", &owned(&expected), &told_apart(&events))
}

/// A read at a position shows the streams as they were then; a position that is not there yet is
/// the newest.
///
/// # Errors
/// It is not so.
pub fn a_read_at_a_position_shows_the_past<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    for (name, payload) in [("a", "1"), ("b", "2"), ("a", "3")] {
        subject.append(&Append::new().event(event(name, payload)))?;
    }
    let all = [("a", "1"), ("b", "2"), ("a", "3")];
    for (at, versions, events) in
        [(0, [0, 0], 0), (1, [1, 0], 1), (2, [1, 1], 2), (3, [2, 1], 3), (9, [2, 1], 3)]
    {
        let position = Position::new(at);
        let snapshot = subject.read_at(&[from_start("a"), from_start("b")], Some(position))?;
        let expected = position.min(Position::new(3));
        same(&format!("the position of a read at {at}"), &expected, &snapshot.position)?;
        let found: Vec<u64> = snapshot.versions.iter().map(|version| version.get()).collect();
        same(&format!("versions at {at}"), &versions.to_vec(), &found)?;
        let expected = owned(all.get(..events).unwrap_or_default());
        same(&format!("events at {at}"), &expected, &told_apart(&snapshot.events))?;
    }
    Ok(())
}

/// Events of several streams come in the order in which they were appended, whatever the order in
/// which the streams are asked for; versions come in the order asked.
///
/// # Errors
/// It is not so.
pub fn events_come_in_the_order_of_the_log<S: Store, R: Runner>(
    subject: &Subject<'_, S, R>,
) -> Verdict {
    let order = [("b", "1"), ("a", "2"), ("c", "3"), ("a", "4"), ("b", "5"), ("a", "6")];
    let events = order.map(|(name, payload)| event(name, payload));
    let [one, two, three, four, five, six] = events;
    subject.append(&Append::new().events([one, two, three]))?;
    subject.append(&Append::new().event(four))?;
    subject.append(&Append::new().events([five, six]))?;
    for names in [["a", "b", "c"], ["c", "b", "a"]] {
        let snapshot = subject.read(&names)?;
        same("events", &owned(&order), &told_apart(&snapshot.events))?;
        let versions = names.map(|name| order.iter().filter(|(other, _)| *other == name).count());
        let found = subject.versions(&names)?;
        let expected = versions.map(|count| u64::try_from(count).unwrap_or(u64::MAX)).to_vec();
        same("versions in the order asked", &expected, &found)?;
    }
    Ok(())
}

fn event_type(name: &str) -> Result<EventType, Violation> {
    EventType::new(name.to_owned()).map_err(Violation::new)
}

fn first(versions: &[StreamVersion]) -> Result<StreamVersion, Violation> {
    versions.first().copied().ok_or_else(|| Violation::new("a read has no versions"))
}

fn owned(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(name, payload)| ((*name).to_owned(), (*payload).to_owned())).collect()
}

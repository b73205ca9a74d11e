//! Appends that go to the server in one call.
//!
//! The server checks all of them against the versions before the call, and gives them their places
//! in one statement. That is right if no append is in the way of a later one, so an append must
//! wait for the next call if it expects something of a stream that an earlier one writes to, or if
//! both have ids, which could be the same.

use std::collections::{HashMap, hash_map::Entry};

use annals_event::{Append, ExpectedVersion, Position, StreamVersion, Versions};
use tokio_postgres::types::{ToSql, Type};

use crate::{rows::signed, types::Uuid};

/// At least one event, as the server takes it.
const EXISTS: i64 = -1;

/// Between tags: no name has it.
const SEPARATOR: &str = "\u{1f}";

/// A call goes out with more bytes than this only if one append has them.
const BYTES_MAX: usize = 8 << 20;

/// No array at all, so that nobody looks for ids.
const NO_IDS: &Option<Vec<Uuid>> = &None;

/// A call.
pub(crate) const CALL: &str = "SELECT head, appended_at, versions, states FROM append(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

/// What its parameters are.
pub(crate) const TYPES: &[Type] = &[
    Type::TEXT_ARRAY,
    Type::INT4_ARRAY,
    Type::UUID_ARRAY,
    Type::BOOL,
    Type::INT4_ARRAY,
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
    Type::INT4_ARRAY,
    Type::INT4_ARRAY,
    Type::INT4_ARRAY,
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT2_ARRAY,
    Type::INT4_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
];

/// What was done to a stream by the appends so far.
#[derive(Debug, Default, Clone, Copy)]
struct Use {
    /// Its number, from 1.
    number: i32,
    /// How many events were written to it.
    written: i32,
}

/// Appends that go to the server in one call.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    streams: HashMap<&'a str, Use>,
    has_ids: bool,
    bytes: usize,
    names: Vec<&'a str>,
    /// Of each name the number of its first event in the call, from 1; 0: there is none.
    firsts: Vec<i32>,
    tokens: Vec<Uuid>,
    expected_append: Vec<i32>,
    expected_name: Vec<i32>,
    expected_version: Vec<i64>,
    event_append: Vec<i32>,
    event_index: Vec<i32>,
    event_name: Vec<i32>,
    /// Which one of its stream in the call, from 1.
    event_nth: Vec<i32>,
    event_type: Vec<&'a str>,
    event_codec: Vec<i16>,
    event_schema: Vec<i32>,
    event_payload: Vec<&'a [u8]>,
    event_metadata: Vec<Option<&'a [u8]>>,
    event_tags: Vec<Option<String>>,
    event_id: Vec<Option<Uuid>>,
}

impl<'a> Batch<'a> {
    /// Adds an append; `false`, and nothing is added, if it must wait for the next call.
    pub(crate) fn add(&mut self, append: &'a Append, token: Uuid) -> bool {
        let is_first = self.tokens.is_empty();
        let bytes = append.events.iter().map(|event| event.payload.len() + 128).sum::<usize>();
        if !is_first && (self.bytes + bytes > BYTES_MAX || self.is_in_the_way(append)) {
            return false;
        }
        self.bytes += bytes;
        self.tokens.push(token);
        let number = number(self.tokens.len());
        self.has_ids |= append.events.iter().any(|event| event.id.is_some());
        for (stream, expected) in &append.expectations {
            let version = match expected {
                ExpectedVersion::Any => continue,
                ExpectedVersion::NoStream => 0,
                ExpectedVersion::Exists => EXISTS,
                ExpectedVersion::Exactly(version) => signed(version.get()),
            };
            let name = self.stream(stream.as_str()).number;
            self.expected_append.push(number);
            self.expected_name.push(name);
            self.expected_version.push(version);
        }
        for (index, event) in append.events.iter().enumerate() {
            let stream = self.stream(event.stream.as_str());
            stream.written += 1;
            let Use { number: name, written: nth } = *stream;
            let place = usize::try_from(name - 1).ok();
            if let (1, Some(first)) = (nth, place.and_then(|place| self.firsts.get_mut(place))) {
                *first = self::number(self.event_append.len() + 1);
            }
            self.event_append.push(number);
            self.event_index.push(self::number(index));
            self.event_name.push(name);
            self.event_nth.push(nth);
            self.event_type.push(event.event_type.as_str());
            self.event_codec.push(i16::from(event.codec.0));
            self.event_schema.push(i32::from(event.schema_version.0));
            self.event_payload.push(&event.payload);
            let metadata = event.metadata.as_slice();
            self.event_metadata.push(Some(metadata).filter(|bytes| !bytes.is_empty()));
            self.event_tags.push(joined(&event.tags));
            self.event_id.push(event.id.map(Uuid::from));
        }
        true
    }

    fn is_in_the_way(&self, append: &Append) -> bool {
        let is_written = |stream: &str| self.streams.get(stream).is_some_and(|s| s.written > 0);
        (self.has_ids && append.events.iter().any(|event| event.id.is_some()))
            || append.expectations.iter().any(|(stream, _)| is_written(stream.as_str()))
    }

    fn stream(&mut self, name: &'a str) -> &mut Use {
        let known = number(self.streams.len());
        match self.streams.entry(name) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.names.push(name);
                self.firsts.push(0);
                entry.insert(Use { number: known + 1, ..Use::default() })
            }
        }
    }

    /// What the call takes. `may_be_there`: an earlier call with these appends may have happened.
    pub(crate) fn parameters<'p>(&'p self, may_be_there: &'p bool) -> [&'p (dyn ToSql + Sync); 18] {
        let ids: &(dyn ToSql + Sync) = if self.has_ids { &self.event_id } else { NO_IDS };
        [
            &self.names,
            &self.firsts,
            &self.tokens,
            may_be_there,
            &self.expected_append,
            &self.expected_name,
            &self.expected_version,
            &self.event_append,
            &self.event_index,
            &self.event_name,
            &self.event_nth,
            &self.event_type,
            &self.event_codec,
            &self.event_schema,
            &self.event_payload,
            &self.event_metadata,
            &self.event_tags,
            ids,
        ]
    }

    /// The token of append number `number`, from 0.
    pub(crate) fn token(&self, number: usize) -> Uuid {
        self.tokens.get(number).copied().unwrap_or(Uuid([0; 16]))
    }

    /// The number of a stream in the call, from 0.
    pub(crate) fn number_of(&self, stream: &str) -> Option<usize> {
        let number = self.streams.get(stream)?.number;
        usize::try_from(number - 1).ok()
    }
}

/// The versions after an append, in the order in which it first wrote to its streams. `before`
/// has the streams' versions, and is brought up to date.
pub(crate) fn advance(
    batch: &Batch<'_>,
    append: &Append,
    before: &mut [StreamVersion],
) -> Versions {
    let numbers = append.events.iter().filter_map(|e| batch.number_of(e.stream.as_str()));
    let mut order: Vec<usize> = Vec::new();
    let mut is_in_order = vec![false; before.len()];
    for number in numbers {
        if let Some(version) = before.get_mut(number) {
            *version = version.next();
        }
        match is_in_order.get_mut(number) {
            Some(is_in) if !*is_in => {
                *is_in = true;
                order.push(number);
            }
            _ => {}
        }
    }
    order.iter().filter_map(|number| before.get(*number).copied()).collect()
}

/// The position after `count` more events.
pub(crate) fn after(position: Position, count: usize) -> Position {
    position.plus(u64::try_from(count).unwrap_or(u64::MAX))
}

fn joined(tags: &[String]) -> Option<String> {
    (!tags.is_empty()).then(|| tags.join(SEPARATOR))
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use annals_event::{EventId, NewEvent, StreamId};

    use super::*;

    fn append(written: &[&str], expected: &[&str]) -> Append {
        let stream = |name: &&str| StreamId::new(name).unwrap();
        let events = written.iter().map(|n| NewEvent::new(stream(n), "Happened", "").unwrap());
        let none = ExpectedVersion::NoStream;
        expected
            .iter()
            .fold(Append::new().events(events), |append, n| append.expect(stream(n), none))
    }

    fn fit(appends: &[Append]) -> usize {
        let mut batch = Batch::default();
        appends.iter().take_while(|append| batch.add(append, Uuid([0; 16]))).count()
    }

    #[test]
    fn who_is_in_the_way_waits() {
        assert_eq!(fit(&[append(&["a"], &[]), append(&["a", "b"], &[]), append(&["b"], &[])]), 3);
        assert_eq!(fit(&[append(&["a"], &["a"]), append(&["b"], &["b"])]), 2);
        assert_eq!(fit(&[append(&["a"], &["c"]), append(&["b"], &["c"])]), 2, "both only read it");
        assert_eq!(
            fit(&[append(&["a"], &[]), append(&["b"], &["a"])]),
            1,
            "expects what is written"
        );
        assert_eq!(fit(&[append(&["a"], &["c"]), append(&["a"], &[])]), 2, "nothing is expected");
        let with_id = |id| {
            let event = append(&["x"], &[]).events.remove(0);
            Append::new().event(event.with_id(EventId::new([id; 16])))
        };
        assert_eq!(fit(&[with_id(1), with_id(2)]), 1, "the ids might be the same");
        assert_eq!(
            fit(&[append(&["a"], &["c"]), append(&["c"], &[])]),
            2,
            "read before it is written"
        );
    }

    #[test]
    fn versions_go_on_within_a_call() {
        let (first, second) = (append(&["b", "a", "b"], &[]), append(&["a"], &[]));
        let mut batch = Batch::default();
        assert!(batch.add(&first, Uuid([1; 16])) && batch.add(&second, Uuid([2; 16])));
        assert_eq!(batch.event_nth, [1, 1, 2, 2]);
        assert_eq!((&batch.names[..], &batch.firsts[..]), (&["b", "a"][..], &[1, 2][..]));
        let mut versions = [StreamVersion::new(5), StreamVersion::ZERO];
        let after = advance(&batch, &first, &mut versions);
        assert_eq!(after.as_slice(), [StreamVersion::new(7), StreamVersion::new(1)]);
        assert_eq!(advance(&batch, &second, &mut versions).as_slice(), [StreamVersion::new(2)]);
    }
}

//! The checker names what is wrong with a store that loses, tears, doubles, swaps, invents,
//! revives, moves or alters.

use annals::{Annals, Position, StreamVersion};

use super::*;

/// Four appends of three events each in a store in memory, and what it shows.
fn shown() -> (Ledger, Shown) {
    let store = Annals::in_memory().unwrap();
    let mut ledger = Ledger::default();
    for number in 1..=4 {
        let request = Request { number, events: vec![(0, 20 + number), (1, 40), (0, 16)] };
        ledger.apply(&Note::Tried(request.clone()));
        let first = store.append(&request.append().unwrap()).wait().unwrap().first.get();
        if number < 4 {
            ledger.apply(&Note::Acknowledged { number, first });
        }
    }
    let shown = Shown::by(&store).unwrap();
    assert_eq!(ledger.compare(&shown).unwrap(), [(1, 1), (2, 4), (3, 7), (4, 10)]);
    (ledger, shown)
}

/// What is found wrong after a change. Streams and the backward reading follow the log.
fn found(change: impl FnOnce(&mut Ledger, &mut Vec<RecordedEvent>)) -> Violation {
    let (mut ledger, mut shown) = shown();
    change(&mut ledger, &mut shown.events);
    ledger.compare(&shown).unwrap_err()
}

fn as_new(ledger: &mut Ledger, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        ledger.entries.get_mut(&number).unwrap().fate = Fate::Unknown;
        ledger.entries.get_mut(&number).unwrap().floor = 0;
    }
}

#[test]
fn what_is_lost_is_found() {
    assert!(matches!(found(|_, events| events.truncate(6)), Violation::Lost(3)));
    assert!(matches!(found(|_, events| events.truncate(0)), Violation::Lost(1)));
    let gap = found(|ledger, events| {
        as_new(ledger, 2..=4);
        events.drain(3..6);
    });
    assert!(matches!(gap, Violation::Gap(7)));
}

#[test]
fn an_unknown_append_may_be_missing_and_a_told_one_too() {
    let (mut ledger, mut shown) = shown();
    ledger.apply(&Note::Told { number: 4, first: 10 });
    assert_eq!(ledger.compare(&shown).unwrap().len(), 4);
    shown.events.truncate(9);
    shown.backward.drain(..3);
    shown.position = 9;
    for (version, events) in shown.streams.values_mut() {
        let kept = events.iter().filter(|event| event.position.get() <= 9).count();
        events.truncate(kept);
        *version = to_u64(kept);
    }
    assert_eq!(ledger.compare(&shown).unwrap().len(), 3);
    ledger.apply(&Note::Acknowledged { number: 4, first: 10 });
    assert!(matches!(ledger.compare(&shown), Err(Violation::Lost(4))));
}

#[test]
fn what_is_torn_is_found() {
    assert!(matches!(found(|_, events| events.truncate(11)), Violation::Partial(4)));
    assert!(matches!(found(|_, events| drop(events.remove(4))), Violation::Partial(2)));
    assert!(matches!(found(|_, events| events.swap(3, 5)), Violation::Partial(2)));
}

#[test]
fn what_is_doubled_swapped_or_moved_is_found() {
    let doubled = found(|ledger, events| {
        as_new(ledger, 1..=4);
        let mut again = events[9..].to_vec();
        for (event, position) in again.iter_mut().zip(13..) {
            event.position = Position::new(position);
        }
        events.append(&mut again);
    });
    assert!(matches!(doubled, Violation::Doubled(4)));
    let renumbered = |events: &mut Vec<RecordedEvent>| {
        for (event, position) in events.iter_mut().zip(1..) {
            event.position = Position::new(position);
        }
    };
    let swapped = found(|_, events| {
        events.rotate_left(3);
        renumbered(events);
    });
    assert!(matches!(swapped, Violation::Moved(2)));
    let early = found(|ledger, events| {
        ledger.entries.remove(&3);
        events.drain(6..9);
        renumbered(events);
    });
    assert!(matches!(early, Violation::OutOfOrder(4)));
    let told = found(|ledger, _| ledger.apply(&Note::Told { number: 4, first: 11 }));
    assert!(matches!(told, Violation::Moved(4)));
}

#[test]
fn what_is_invented_or_revived_is_found() {
    let invented = found(|ledger, _| drop(ledger.entries.remove(&4)));
    assert!(matches!(invented, Violation::Invented(10)));
    let short = found(|_, events| events[0].payload.truncate(3));
    assert!(matches!(short, Violation::Invented(1)));
    let risen = found(|ledger, _| ledger.apply(&Note::Refused { number: 4 }));
    assert!(matches!(risen, Violation::Risen(4)));
    let risen = found(|ledger, _| ledger.apply(&Note::Found(vec![(1, 1), (2, 4), (3, 7)])));
    assert!(matches!(risen, Violation::Risen(4)));
}

#[test]
fn what_is_altered_is_found() {
    let altered = found(|_, events| events[7].payload[19] ^= 1);
    assert!(matches!(altered, Violation::Altered(3)));
    let altered = found(|_, events| events[4].metadata.clear());
    assert!(matches!(altered, Violation::Altered(2)));
    let altered = found(|_, events| events[1].stream = StreamId::new("stream-7").unwrap());
    assert!(matches!(altered, Violation::Altered(1)));
}

/// What is found wrong after a change of anything but the log.
fn beside(change: impl FnOnce(&mut Shown, StreamId)) -> Violation {
    let (ledger, mut shown) = shown();
    change(&mut shown, StreamId::new("stream-0").unwrap());
    ledger.compare(&shown).unwrap_err()
}

#[test]
fn a_stream_or_a_direction_that_differs_from_the_log_is_found() {
    let is_wrong = |violation| matches!(violation, Violation::WrongStream(_));
    assert!(is_wrong(beside(|shown, a| shown.streams.get_mut(&a).unwrap().0 += 1)));
    assert!(is_wrong(beside(|shown, a| drop(shown.streams.get_mut(&a).unwrap().1.pop()))));
    assert!(is_wrong(beside(|shown, a| drop(shown.streams.remove(&a)))));
    assert!(is_wrong(beside(|shown, a| {
        let wrong = StreamVersion::new(7);
        shown.events[0].version = wrong;
        *shown.backward.last_mut().unwrap() = shown.events[0].clone();
        shown.streams.get_mut(&a).unwrap().1[0].version = wrong;
    })));
    let backward = beside(|shown, _| drop(shown.backward.pop()));
    assert!(matches!(backward, Violation::WrongBackward));
    assert!(matches!(beside(|shown, _| shown.position = 13), Violation::WrongBackward));
}

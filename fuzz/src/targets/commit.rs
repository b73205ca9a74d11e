//! The body of a commit against the naive decoder, and encoded again.

use annals_event::{
    Append, CommitHead, CommitView, Encoder, EventId, EventView, NewEvent, Position, RecordedEvent,
    Timestamp,
};

use crate::{
    memory::capped,
    naive::{self, Event, number},
};

/// The input: number of events (3 bytes), of streams (1), then the body.
pub fn commit(input: &[u8]) {
    let Some((head, body)) = input.split_first_chunk::<4>() else { return };
    // A commit without events has no valid head.
    let count = u32::try_from(number(head, 0..3)).unwrap().max(1);
    let stamps: Vec<u64> = (0..head[3]).map(|stamp| u64::from(stamp) << (stamp % 64)).collect();
    let log_id = 0x1234_5678 << 64;
    let (first, time) = (u64::MAX >> (head[0] % 64), i64::MIN);
    let expected = naive::Head { log_id, first, count, time, stamps: &stamps };
    let expected = naive::commit(&expected, body);
    let versions: Vec<u8> = stamps.iter().flat_map(|stamp| stamp.to_le_bytes()).collect();
    let head = CommitHead {
        log_id,
        first: Position::new(first),
        events: count,
        time: Timestamp(time),
        versions: &versions,
    };
    // A view of an event is larger than the shortest event.
    let found = capped(input.len(), 128, || {
        let mut view = CommitView::parse(head, body).ok()?;
        let streams = view.streams().len();
        let events: Vec<EventView<'_>> = view.events().collect::<Result<_, _>>().ok()?;
        Some((streams, events))
    });
    let Some((streams, events)) = expected else {
        assert!(found.is_none(), "the naive decoder refuses it");
        return;
    };
    let (found_streams, found) = found.expect("the naive decoder takes it");
    assert_eq!(found_streams, streams.len());
    let found: Vec<RecordedEvent> =
        found.iter().map(|event| event.to_owned().expect("its names were checked")).collect();
    assert!(found.iter().map(naive::event).eq(events.iter().cloned()), "{found:?}\n{events:?}");
    encode_again(&found, &events);
}

/// What was decoded can be appended, and is then decoded to the same.
fn encode_again(found: &[RecordedEvent], events: &[Event]) {
    let mut ids: Vec<EventId> = found.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let has_ids = ids.len() == found.len();
    let append = Append::new().events(found.iter().map(|event| {
        let new =
            NewEvent::typed(event.stream.clone(), event.event_type.clone(), event.payload.clone());
        let new = new.with_metadata(event.metadata.clone());
        let new = new.with_codec(event.codec, event.schema_version);
        let new = event.tags.iter().fold(new, |new, tag| new.with_tag(tag));
        if has_ids { new.with_id(event.id) } else { new }
    }));
    let mut encoder = Encoder::default();
    encoder.encode(&append).expect("it was in a log");
    let stamps = vec![0; encoder.streams().len()];
    let count = u32::try_from(found.len()).unwrap();
    let head = naive::Head { log_id: 0, first: 1, count, time: 0, stamps: &stamps };
    let (_, again) = naive::commit(&head, encoder.body()).expect("it was just encoded");
    for (again, event) in again.iter().zip(events) {
        let is_same = again.stream == event.stream
            && again.kind == event.kind
            && (again.codec, again.schema_version) == (event.codec, event.schema_version)
            && again.metadata == event.metadata
            && again.tags == event.tags
            && again.payload == event.payload
            && (!has_ids || again.id == event.id);
        assert!(is_same, "{again:?}\n{event:?}");
    }
}

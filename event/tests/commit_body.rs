//! A commit comes back from its body as it went in, and no other bytes are taken for one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use annals_event::{
    Append, CodecId, CommitHead, CommitView, Encoder, EventId, Malformed, NewEvent, Position,
    RecordedEvent, SchemaVersion, StreamId, StreamVersion, Timestamp,
};
use proptest::prelude::*;

fn decode(body: &[u8], versions: &[u8], events: u32) -> Result<Vec<RecordedEvent>, Malformed> {
    let mut commit = CommitView::parse(head(versions, events), body)?;
    commit.events().map(|event| event?.to_owned()).collect()
}

fn head(versions: &[u8], events: u32) -> CommitHead<'_> {
    let time = Timestamp(42);
    CommitHead { log_id: 9 << 64, first: Position::new(100), events, time, versions }
}

/// The body, and the version before the commit of each stream: 10, 11, 12, ...
fn encode(append: &Append) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = Encoder::default();
    encoder.encode(append).unwrap();
    let versions = (10_u64..).take(encoder.streams().len()).flat_map(u64::to_le_bytes).collect();
    (encoder.body().to_vec(), versions)
}

fn arbitrary_event() -> impl Strategy<Value = NewEvent> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    (0_u8..40, "[a-zé]{1,8}", any::<(u8, u16)>(), bytes(), bytes(), any::<[u8; 16]>())
        .prop_flat_map(|(stream, tag, (codec, schema), payload, metadata, id)| {
            (0..4_usize).prop_map(move |tags| {
                let stream = StreamId::new(&format!("stream-{stream}")).unwrap();
                let mut event = NewEvent::new(stream, "Happened", payload.clone())
                    .unwrap()
                    .with_codec(CodecId(codec % 3), SchemaVersion(schema % 2))
                    .with_metadata(metadata.clone())
                    .with_id(EventId::new(id));
                event.tags = vec![tag.clone(); tags];
                event
            })
        })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        mut events in prop::collection::vec(arbitrary_event(), 1..80),
        with_ids: bool,
    ) {
        events.dedup_by_key(|event| event.id);
        if !with_ids {
            for event in &mut events {
                event.id = None;
            }
        }
        let append = Append::new().events(events.clone());
        prop_assume!(append.validate().is_ok());
        let (body, versions) = encode(&append);
        prop_assert_eq!(body.len() % 8, 0);
        let decoded = decode(&body, &versions, u32::try_from(events.len()).unwrap()).unwrap();
        prop_assert_eq!(decoded.len(), events.len());
        let mut first_seen: Vec<StreamId> = Vec::new();
        for (index, (new, old)) in events.iter().zip(&decoded).enumerate() {
            let position = Position::new(100 + u64::try_from(index).unwrap());
            if !first_seen.contains(&new.stream) {
                first_seen.push(new.stream.clone());
            }
            let before = events[..=index].iter().filter(|e| e.stream == new.stream).count();
            let number = first_seen.iter().position(|seen| *seen == new.stream).unwrap();
            prop_assert_eq!(&old.stream, &new.stream);
            prop_assert_eq!(old.version, StreamVersion::new(u64::try_from(10 + number + before).unwrap()));
            prop_assert_eq!(old.position, position);
            prop_assert_eq!(old.id, new.id.unwrap_or(EventId::derived(9 << 64, position)));
            prop_assert_eq!((old.codec, old.schema_version), (new.codec, new.schema_version));
            prop_assert_eq!(&old.payload, &new.payload);
            prop_assert_eq!(&old.metadata, &new.metadata);
            prop_assert_eq!(&old.tags, &new.tags);
        }
    }

    #[test]
    fn a_view_reads_commit_after_commit_forward_and_backward(
        commits in prop::collection::vec(prop::collection::vec(arbitrary_event(), 1..40), 1..5),
        known in 0_u8..40,
        damage: Option<(prop::sample::Index, u8)>,
    ) {
        let known = format!("stream-{known}");
        let encoded: Vec<_> = commits.into_iter().map(|mut events| {
            for event in &mut events {
                event.id = None;
            }
            let (mut body, versions) = encode(&Append::new().events(events.clone()));
            if let Some((at, xor)) = &damage {
                let index = at.index(body.len());
                body[index] ^= xor;
            }
            (body, versions, u32::try_from(events.len()).unwrap())
        }).collect();
        let mut view = CommitView::knowing(&known);
        for (body, versions, events) in &encoded {
            let expected = decode(body, versions, *events);
            let head = head(versions, *events);
            let read = view.read(head, body);
            prop_assert!(read.is_ok() || expected.is_err());
            if read.is_err() {
                continue;
            }
            let number = view.streams().position(|(name, _)| name == known);
            if expected.is_ok() && damage.is_none() {
                prop_assert_eq!(view.known_stream(), number);
            }
            // Each way of reading leaves the view as the next one needs it.
            for _ in 0..2 {
                let forward: Result<Vec<_>, _> = view.events().map(|e| e?.to_owned()).collect();
                prop_assert_eq!(&forward, &expected);
                let backward = view.events_backward();
                let backward = backward.and_then(|events| events.map(|e| e?.to_owned()).collect());
                let backward = backward.map(|mut events: Vec<_>| { events.reverse(); events });
                prop_assert_eq!(&backward, &expected);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        body in prop::collection::vec(any::<u8>(), 0..300),
        streams in 0_usize..4,
        events in 0_u32..100_000,
    ) {
        drop(decode(&body, &vec![0; streams * 8], events));
    }

    /// G17 (hostile files).
    #[test]
    fn damaged_bytes_do_not_panic_and_a_cut_body_is_refused(
        events in prop::collection::vec(arbitrary_event(), 1..5),
        at: prop::sample::Index,
        xor in 1_u8..,
    ) {
        let mut append = Append::new().events(events);
        for event in &mut append.events {
            event.id = None;
        }
        let (mut body, versions) = encode(&append);
        let count = u32::try_from(append.events.len()).unwrap();
        let cut = at.index(body.len() / 8) * 8;
        prop_assert!(decode(&body[..cut], &versions, count).is_err());
        let index = at.index(body.len());
        body[index] ^= xor;
        drop(decode(&body, &versions, count));
    }
}

#[test]
fn many_streams_are_numbered_without_comparing_all_with_all() {
    let events = (0..65_535_u32)
        .map(|n| NewEvent::new(StreamId::new(&format!("s-{n}")).unwrap(), "Happened", "").unwrap());
    let append = Append::new().events(events);
    let (body, versions) = encode(&append);
    let decoded = decode(&body, &versions, 65_535).unwrap();
    assert_eq!(decoded[65_534].stream.as_str(), "s-65534");
    assert_eq!(decoded[65_534].version, StreamVersion::new(10 + 65_534 + 1));
}

#[test]
fn bytes_after_the_last_event_are_refused() {
    let append =
        Append::new().event(NewEvent::new(StreamId::new("s").unwrap(), "T", "xyz").unwrap());
    let (mut body, versions) = encode(&append);
    assert!(decode(&body, &versions, 1).is_ok());
    body.extend_from_slice(&[0; 8]);
    assert_eq!(decode(&body, &versions, 1), Err(Malformed("it has more bytes than its events")));
}

/// Events that say nothing take four bytes each: a commit of millions would take gigabytes when
/// it is read backward. There is a limit on what can be appended; it holds for what is read, too.
#[test]
fn more_events_than_can_be_appended_are_refused() {
    let body = |events: usize| {
        let mut body = b"\x01s\x01\x01T\x00\x01\x00".to_vec();
        body.resize((body.len() + 4 * events).next_multiple_of(8), 0);
        body
    };
    let versions = [0; 8];
    assert_eq!(decode(&body(65_535), &versions, 65_535).unwrap().len(), 65_535);
    let refused = Err(Malformed("its number of events is impossible"));
    assert_eq!(decode(&body(65_536), &versions, 65_536), refused);
}

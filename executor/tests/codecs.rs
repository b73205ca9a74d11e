//! Every codec gives back what it was given, and takes nothing else for it. Proves G23.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::Ipv4Addr,
};

use annals_event::{
    EventId, NewEvent, Position, RecordedEvent, SchemaVersion, StreamId, StreamVersion, Timestamp,
};
#[cfg(feature = "bincode")]
use annals_executor::Bincode;
use annals_executor::{
    Codec, CodecError, DecodeError, EncodeError, Event, EventSchema, Json, MessagePack, OldEvent,
    Payloads, Postcard,
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Calls a generic function with each codec of the build.
macro_rules! with_each_codec {
    ($function:ident($($argument:expr),*)) => {{
        #[cfg(feature = "bincode")]
        $function(Bincode $(, $argument)*);
        $function(Json $(, $argument)*);
        $function(MessagePack $(, $argument)*);
        $function(Postcard $(, $argument)*);
    }};
}

/// A value with a bit of everything that serde's data model has and all codecs share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    numbers: (bool, u8, i16, u32, i64, u64),
    large: (u128, i128),
    floats: (f32, f64),
    text: String,
    letter: char,
    bytes: Vec<u8>,
    option: Option<Box<Everything>>,
    shape: Shape,
    shapes: Vec<Shape>,
    map: BTreeMap<String, Vec<i32>>,
    set: BTreeSet<u16>,
    unit: (),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Line(u64),
    Box(u32, i32),
    Named { name: String, inner: Option<u8> },
    Nested(Inner),
    Perhaps(Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Inner {
    A,
    B(String),
}

impl Event for Shape {
    fn event_type(&self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Line(_) => "Line",
            Self::Box(..) => "Box",
            Self::Named { .. } => "Named",
            Self::Nested(_) => "Nested",
            Self::Perhaps(_) => "Perhaps",
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Empty),
        any::<u64>().prop_map(Shape::Line),
        any::<(u32, i32)>().prop_map(|(a, b)| Shape::Box(a, b)),
        (".*", any::<Option<u8>>()).prop_map(|(name, inner)| Shape::Named { name, inner }),
        Just(Shape::Nested(Inner::A)),
        ".*".prop_map(|text| Shape::Nested(Inner::B(text))),
        any::<Option<u64>>().prop_map(Shape::Perhaps),
    ]
}

/// A float that all codecs can write.
fn finite() -> impl Strategy<Value = (f32, f64)> {
    any::<(f32, f64)>().prop_filter("finite", |(a, b)| a.is_finite() && b.is_finite())
}

/// Without another one inside.
fn flat() -> impl Strategy<Value = Everything> {
    let numbers = (any::<(bool, u8, i16, u32, i64, u64)>(), any::<(u128, i128)>(), finite());
    let texts = (".*", any::<char>(), any::<Vec<u8>>());
    let shapes = (shape(), vec(shape(), 0..4));
    let maps = (btree_map(".*", any::<Vec<i32>>(), 0..4), any::<BTreeSet<u16>>());
    (numbers, texts, shapes, maps).prop_map(|(numbers, texts, shapes, maps)| Everything {
        numbers: numbers.0,
        large: numbers.1,
        floats: numbers.2,
        text: texts.0,
        letter: texts.1,
        bytes: texts.2,
        option: None,
        shape: shapes.0,
        shapes: shapes.1,
        map: maps.0,
        set: maps.1,
        unit: (),
    })
}

fn everything() -> impl Strategy<Value = Everything> {
    (flat(), proptest::option::of(flat())).prop_map(|(mut outer, inner)| {
        outer.option = inner.map(Box::new);
        outer
    })
}

fn comes_back<K, T>(codec: K, value: &T)
where
    K: Codec,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = codec.encode(value).unwrap();
    assert_eq!(codec.decode::<T>(&bytes).as_ref(), Ok(value), "codec {:?}", codec.id());
}

fn more_and_less_are_refused<K: Codec>(codec: K, value: &Everything, at: usize) {
    let mut bytes = codec.encode(value).unwrap();
    let cut = at % bytes.len();
    assert!(codec.decode::<Everything>(&bytes[..cut]).is_err(), "cut at {cut}");
    // Not white space, which JSON allows.
    bytes.push(b'x');
    let error = codec.decode::<Everything>(&bytes).unwrap_err();
    let left_over = matches!(error, CodecError::LeftOver { bytes: 1, .. });
    assert!(left_over || error.to_string().contains("trailing"), "{error}");
}

fn nothing_panics<K: Codec>(codec: K, bytes: &[u8]) {
    let _ = codec.decode::<Everything>(bytes);
    let _ = codec.decode::<Shape>(bytes);
    let _ = codec.decode::<Vec<String>>(bytes);
    for event_type in ["Empty", "Line", "Box", "Named", "Nested", "Perhaps", "Other"] {
        let mut event = recorded(&codec, &Shape::Empty);
        event.event_type = annals_event::EventType::new(event_type).unwrap();
        event.payload = bytes.to_vec();
        if let Ok(Some(read)) = Payloads::new(&codec).decode::<Shape>(event) {
            assert_eq!(read.event.event_type(), event_type);
        }
    }
}

/// A length that says more than there is.
fn lengths_are_not_believed<K: Codec>(codec: K, bytes: &[u8]) {
    assert!(codec.decode::<Vec<u8>>(bytes).is_err(), "{:?}", codec.id());
    assert!(codec.decode::<String>(bytes).is_err(), "{:?}", codec.id());
    assert!(codec.decode::<Vec<u64>>(bytes).is_err(), "{:?}", codec.id());
    assert!(codec.decode::<BTreeMap<u64, u64>>(bytes).is_err(), "{:?}", codec.id());
}

fn new<E: Event>(codec: &impl Codec, event: &E) -> Result<NewEvent, EncodeError> {
    Payloads::new(codec).encode(StreamId::new("stream").unwrap(), event)
}

/// As it would lie in a log.
fn recorded<E: Event>(codec: &impl Codec, event: &E) -> RecordedEvent {
    let new = new(codec, event).unwrap();
    RecordedEvent {
        stream: new.stream,
        version: StreamVersion::new(1),
        position: Position::new(1),
        time: Timestamp(0),
        id: EventId::new([0; 16]),
        event_type: new.event_type,
        codec: new.codec,
        schema_version: new.schema_version,
        payload: new.payload,
        metadata: Vec::new(),
        tags: Vec::new(),
    }
}

/// What one codec wrote, an executor that writes another reads.
fn an_event_comes_back<K: Codec>(codec: K, event: &Shape) {
    let stored = recorded(&codec, event);
    assert_eq!(stored.codec, codec.id());
    let check = |read: Result<Option<annals_executor::Recorded<Shape>>, _>| {
        let read: annals_executor::Recorded<Shape> = read.unwrap().unwrap();
        assert_eq!(&read.event, event);
    };
    #[cfg(feature = "bincode")]
    check(Payloads::new(Bincode).decode(stored.clone()));
    check(Payloads::new(Json).decode(stored.clone()));
    check(Payloads::new(MessagePack).decode(stored.clone()));
    check(Payloads::new(Postcard).decode(stored));
}

proptest! {
    /// G23 (read as written): by every codec, whatever is written.
    #[test]
    fn what_is_written_is_read(value in everything(), shape in shape()) {
        with_each_codec!(comes_back(&value));
        with_each_codec!(comes_back(&shape));
        with_each_codec!(an_event_comes_back(&shape));
    }

    #[test]
    fn what_is_longer_or_shorter_is_refused(value in everything(), at in any::<usize>()) {
        with_each_codec!(more_and_less_are_refused(&value, at));
    }

    /// G23 (read as written): what no codec wrote does no harm.
    #[test]
    fn any_bytes_are_an_error_or_a_value(bytes in vec(any::<u8>(), 0..200)) {
        with_each_codec!(nothing_panics(&bytes));
    }

    /// Near what is right, where more of it is believed.
    #[test]
    fn changed_bytes_are_an_error_or_a_value(
        value in everything(), at in any::<usize>(), to in any::<u8>()
    ) {
        fn changed<K: Codec>(codec: K, value: &Everything, at: usize, to: u8) {
            let mut bytes = codec.encode(value).unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            nothing_panics(codec, &bytes);
        }
        with_each_codec!(changed(&value, at, to));
    }
}

#[test]
fn a_length_that_is_a_lie_costs_no_memory() {
    #[cfg(feature = "bincode")]
    for size in [&[0xFB, 0xFF, 0xFF][..], &[0xFC, 0xFF, 0xFF, 0xFF, 0x7F], &[0xFD; 9]] {
        lengths_are_not_believed(Bincode, size);
    }
    for size in [&[0xFF, 0x7F][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], &[0xFF; 10]] {
        lengths_are_not_believed(Postcard, size);
    }
    for marker in [0xC6, 0xDB, 0xDD, 0xDF] {
        lengths_are_not_believed(MessagePack, &[marker, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
}

/// JSON text and MessagePack can nest for ever; they are stopped before the stack is.
#[test]
fn what_nests_too_deep_is_an_error() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Deep(Vec<Deep>);
    assert!(Json.decode::<Deep>(&vec![b'['; 1_000_000]).is_err());
    assert!(MessagePack.decode::<Deep>(&vec![0x91; 1_000_000]).is_err());
}

#[test]
fn an_error_names_the_codec_and_says_what_is_wrong() {
    let error = Json.decode::<u8>(b"300").unwrap_err();
    assert!(error.to_string().starts_with("json cannot read it: "), "{error}");
    let error = Postcard.decode::<u8>(&[1, 2, 3]).unwrap_err();
    assert_eq!(error, CodecError::LeftOver { codec: "postcard", bytes: 2 });
    let keys = BTreeMap::from([(vec![1_u8], 2_u8)]);
    let error = Json.encode(&keys).unwrap_err();
    assert!(error.to_string().starts_with("json cannot write it: "), "{error}");
}

/// The payload is the content alone: what a variant is called is said once, by the event's type.
#[test]
fn a_payload_is_the_content_of_its_variant() {
    let json = |shape: Shape| String::from_utf8(new(&Json, &shape).unwrap().payload).unwrap();
    assert_eq!(json(Shape::Empty), "null");
    assert_eq!(json(Shape::Line(5)), "5");
    assert_eq!(json(Shape::Box(1, -1)), "[1,-1]");
    let named = Shape::Named { name: "x".to_owned(), inner: None };
    assert_eq!(json(named), r#"{"name":"x","inner":null}"#);
    assert_eq!(json(Shape::Nested(Inner::A)), r#""A""#);
    assert_eq!(json(Shape::Nested(Inner::B("b".to_owned()))), r#"{"B":"b"}"#);
    assert!(new(&Postcard, &Shape::Empty).unwrap().payload.is_empty());
    assert_eq!(new(&Postcard, &Shape::Line(5)).unwrap().payload, [5]);
}

/// A codec of the user's own, and what it wrote where it is not known.
#[test]
fn a_codec_of_ones_own_is_read_by_itself_alone() {
    struct Reversed;
    impl Codec for Reversed {
        fn id(&self) -> annals_event::CodecId {
            annals_event::CodecId(200)
        }
        fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, CodecError> {
            let mut bytes = Json.encode(value)?;
            bytes.reverse();
            Ok(bytes)
        }
        fn decode_seed<'de, S: serde::de::DeserializeSeed<'de>>(
            &self,
            seed: S,
            bytes: &'de [u8],
        ) -> Result<S::Value, CodecError> {
            let mut bytes = bytes.to_vec();
            bytes.reverse();
            let mut text = serde_json::Deserializer::from_reader(bytes.as_slice());
            let read = |message| CodecError::Read { codec: "reversed", message };
            seed.deserialize(&mut text).map_err(|error| read(error.to_string()))
        }
    }
    let stored = recorded(&Reversed, &Shape::Line(12));
    assert_eq!(stored.payload, b"21");
    let read = Payloads::new(Reversed).decode::<Shape>(stored.clone()).unwrap().unwrap();
    assert_eq!(read.event, Shape::Line(12));
    let error = Payloads::new(Json).decode::<Shape>(stored).unwrap_err();
    assert_eq!(error.to_string(), "codec 200 wrote it; have the program read with it");
}

/// What could not be read again is not written.
#[test]
fn a_variant_with_another_name_than_its_type_is_not_written() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Renamed {
        In(u64),
    }
    impl Event for Renamed {
        fn event_type(&self) -> &'static str {
            "MoneyIn"
        }
    }
    let error = new(&Json, &Renamed::In(1)).unwrap_err();
    let other = EncodeError::OtherVariant { event_type: "MoneyIn", variant: "In", index: 0 };
    assert_eq!(error, other);
}

#[test]
fn an_event_that_its_own_schema_does_not_know_is_not_written() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Unknown;
    impl Event for Unknown {
        fn event_type(&self) -> &'static str {
            "unknown"
        }
        fn schema(event_type: &str) -> Option<EventSchema> {
            (event_type == "Unknown").then(|| EventSchema::named(SchemaVersion::FIRST))
        }
    }
    let error = new(&Json, &Unknown).unwrap_err();
    assert_eq!(error, EncodeError::UnknownType { event_type: "unknown" });
}

/// The name of a stream in an event is checked where it is read.
#[test]
fn a_stream_id_is_text_in_every_codec_and_a_bad_one_is_an_error() {
    fn check<K: Codec>(codec: K) {
        let stream = StreamId::new("account-1").unwrap();
        assert_eq!(codec.encode(&stream), codec.encode("account-1"));
        assert_eq!(codec.decode(&codec.encode(&stream).unwrap()), Ok(stream));
        for bad in ["", "a\u{7}"] {
            assert!(codec.decode::<StreamId>(&codec.encode(bad).unwrap()).is_err());
        }
    }
    with_each_codec!(check());
    let error = Json.decode::<StreamId>(br#""a\u0007""#).unwrap_err();
    assert!(error.to_string().contains("control character U+0007"), "{error}");
}

/// An event that lies in its payload as text where people read it, and as bytes elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Seen(Ipv4Addr);

impl Event for Seen {
    fn event_type(&self) -> &'static str {
        "Seen"
    }
}

#[test]
fn a_payload_is_for_people_where_its_codec_is() {
    fn check<K: Codec>(codec: K) {
        let event = Seen(Ipv4Addr::new(10, 0, 0, 7));
        let stored = recorded(&codec, &event);
        assert_eq!(stored.payload, codec.encode(&event.0).unwrap());
        let read = Payloads::new(&codec).decode::<Seen>(stored).unwrap().unwrap();
        assert_eq!(read.event, event);
    }
    with_each_codec!(check());
    assert_eq!(new(&Json, &Seen(Ipv4Addr::LOCALHOST)).unwrap().payload, br#""127.0.0.1""#);
    assert_eq!(new(&Postcard, &Seen(Ipv4Addr::LOCALHOST)).unwrap().payload, [127, 0, 0, 1]);
}

#[test]
fn an_old_event_says_what_it_is() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Newer(u64);
    impl Event for Newer {
        fn event_type(&self) -> &'static str {
            "Newer"
        }
        fn schema(_: &str) -> Option<EventSchema> {
            Some(EventSchema::named(SchemaVersion(3)))
        }
        fn upcast<K: Codec>(old: OldEvent<'_, K>) -> Result<Self, DecodeError> {
            let shown = format!("{old:?}");
            for part in ["Newer", "SchemaVersion(2)", &format!("{:?}", Json.id())] {
                assert!(shown.contains(part), "{shown}");
            }
            old.with(|number: u64| Self(number + 1))
        }
    }
    let stored = RecordedEvent { schema_version: SchemaVersion(2), ..recorded(&Json, &Newer(4)) };
    assert_eq!(Payloads::new(Json).decode::<Newer>(stored).unwrap().unwrap().event.0, 5);
}

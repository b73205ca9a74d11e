//! What the derives write.
#![allow(clippy::unwrap_used, clippy::items_after_statements, missing_docs, reason = "a test")]

use std::sync::Arc;

use annals::{
    Command, CommandStreams, Decision, DecodeError, EncodeError, Event, EventSchema, Json,
    Payloads, Recorded, StreamField,
};
use annals_event::{NewEvent, SchemaVersion, StreamId};
use serde::{Deserialize, Serialize};

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn names(command: &impl CommandStreams) -> Vec<String> {
    command.streams().iter().map(ToString::to_string).collect()
}

/// Any type can name a stream.
struct Account(u64);

impl StreamField for Account {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        streams.push(id(&format!("account-{}", self.0)));
    }
}

#[test]
fn streams_come_in_the_order_of_the_fields() {
    type Alias = StreamId;
    #[derive(Command)]
    struct Order<'a> {
        #[stream]
        customer: StreamId,
        #[expect(dead_code, reason = "no stream")]
        note: &'a str,
        #[stream]
        coupon: Option<StreamId>,
        #[stream]
        products: Vec<StreamId>,
        #[stream]
        account: Account,
        #[stream]
        both: [Alias; 2],
        #[stream]
        shared: &'a Arc<Option<Box<StreamId>>>,
    }
    let shared = Arc::new(Some(Box::new(id("s"))));
    let order = |coupon, products: &[&str]| Order {
        customer: id("c"),
        note: "",
        coupon,
        products: products.iter().map(|name| id(name)).collect(),
        account: Account(7),
        both: [id("x"), id("c")],
        shared: &shared,
    };
    assert_eq!(names(&order(None, &[])), ["c", "account-7", "x", "c", "s"]);
    let all = names(&order(Some(id("k")), &["p", "q"]));
    assert_eq!(all, ["c", "k", "p", "q", "account-7", "x", "c", "s"]);
}

#[test]
fn tuple_structs_and_generics_are_commands() {
    #[derive(Command)]
    struct Tuple(#[stream] StreamId, #[expect(dead_code, reason = "no stream")] u64);
    assert_eq!(names(&Tuple(id("a"), 1)), ["a"]);

    #[derive(Command)]
    struct Generic<A, const N: usize, B = u64>
    where
        B: Copy,
    {
        #[stream]
        accounts: [Option<A>; N],
        #[expect(dead_code, reason = "no stream")]
        other: B,
    }
    // `B` names no stream, and need not.
    let generic = Generic { accounts: [Some(Account(1)), None, Some(Account(2))], other: 1.5 };
    assert_eq!(names(&generic), ["account-1", "account-2"]);
}

/// What is derived is all that a command needs beside its logic.
#[test]
fn a_derived_command_is_a_command() {
    #[derive(Command)]
    struct Open {
        #[stream]
        account: StreamId,
    }
    impl Command for Open {
        type State = bool;
        type Event = AccountEvent;
        type Rejection = &'static str;
        fn evolve(&self, is_open: &mut bool, _: &Recorded<AccountEvent>) {
            *is_open = true;
        }
        fn decide(&self, is_open: &bool) -> Result<Decision<AccountEvent>, &'static str> {
            if *is_open {
                return Err("it is open already");
            }
            Ok(Decision::one(self.account.clone(), AccountEvent::Opened))
        }
    }
    let open = Open { account: id("a") };
    assert!(open.decide(&false).is_ok());
    assert!(open.decide(&true).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account.")]
enum AccountEvent {
    Opened,
    #[event(name = "paid-in", version = 3, upcast(1 = _, 2 = paid_in_v2))]
    Deposited {
        cents: u64,
    },
    Sent(StreamName, u64),
    #[expect(non_camel_case_types, reason = "the name of a raw identifier is without its mark")]
    r#try,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StreamName(String);

fn paid_in_v2(euros: u64) -> Result<AccountEvent, String> {
    let cents = euros.checked_mul(100).ok_or_else(|| format!("{euros} euros are too many"))?;
    Ok(AccountEvent::Deposited { cents })
}

fn encode<E: Event>(event: &E) -> NewEvent {
    Payloads::new(Json).encode(id("stream"), event).unwrap()
}

/// Reads what lies in a log under a type and a version.
fn read<E: Event>(event_type: &str, version: u16, json: &str) -> Result<Option<E>, DecodeError> {
    let event = annals_event::RecordedEvent {
        stream: id("stream"),
        version: annals_event::StreamVersion::new(1),
        position: annals_event::Position::new(1),
        time: annals_event::Timestamp(0),
        id: annals_event::EventId::new([0; 16]),
        event_type: annals_event::EventType::new(event_type.to_owned()).unwrap(),
        codec: annals_event::CodecId::JSON,
        schema_version: SchemaVersion(version),
        payload: json.as_bytes().to_vec(),
        metadata: Vec::new(),
        tags: Vec::new(),
    };
    Ok(Payloads::new(Json).decode(event)?.map(|recorded| recorded.event))
}

fn round_trip<E: Event + PartialEq + std::fmt::Debug>(event: &E, stored: (&str, u16, &str)) {
    let new = encode(event);
    let payload = String::from_utf8(new.payload).unwrap();
    assert_eq!((new.event_type.as_str(), new.schema_version.0, payload.as_str()), stored);
    assert_eq!(read::<E>(stored.0, stored.1, stored.2).unwrap().as_ref(), Some(event));
}

#[test]
fn names_and_versions_are_those_that_were_said() {
    round_trip(&AccountEvent::Opened, ("account.Opened", 1, "null"));
    let deposited = AccountEvent::Deposited { cents: 5 };
    round_trip(&deposited, ("paid-in", 3, r#"{"cents":5}"#));
    let sent = AccountEvent::Sent(StreamName("b".to_owned()), 5);
    round_trip(&sent, ("account.Sent", 1, r#"["b",5]"#));
    round_trip(&AccountEvent::r#try, ("account.try", 1, "null"));
    assert_eq!(AccountEvent::schema("Opened"), None);
    let schema = EventSchema::variant(1, SchemaVersion(3));
    assert_eq!(AccountEvent::schema("paid-in"), Some(schema));
}

#[test]
fn old_versions_become_new_ones_or_an_error_that_says_why() {
    let new = read("paid-in", 2, "5").unwrap();
    assert_eq!(new, Some(AccountEvent::Deposited { cents: 500 }));
    let error = |version, json| read::<AccountEvent>("paid-in", version, json).unwrap_err();
    let known = SchemaVersion(3);
    let event_type = || "paid-in".to_owned();
    let found = SchemaVersion(1);
    assert_eq!(error(1, "5"), DecodeError::NoUpcast { event_type: event_type(), found, known });
    let found = SchemaVersion(4);
    let newer = DecodeError::NewerSchema { event_type: event_type(), found, known };
    assert_eq!(error(4, "5"), newer);
    let text = newer.to_string();
    assert!(text.contains("version 4") && text.contains("up to 3"), "{text}");
    let refused = error(2, "18446744073709551615").to_string();
    assert!(refused.contains("18446744073709551615 euros are too many"), "{refused}");
    assert!(matches!(error(2, "{}"), DecodeError::Codec(_)));
    assert!(matches!(error(3, "5"), DecodeError::Codec(_)), "the old shape in the new version");
}

#[test]
fn an_unknown_type_is_an_error_unless_it_is_to_be_skipped() {
    let error = read::<AccountEvent>("account.Closed", 1, "null").unwrap_err();
    assert_eq!(error, DecodeError::UnknownType { event_type: "account.Closed".to_owned() });

    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[event(skip_unknown, prefix = "account.")]
    enum OnlyOpened {
        Opened,
    }
    assert_eq!(read::<OnlyOpened>("account.Closed", 1, "null"), Ok(None));
    assert_eq!(read("account.Opened", 1, "null"), Ok(Some(OnlyOpened::Opened)));
    // What is known is never skipped.
    assert!(read::<OnlyOpened>("account.Opened", 2, "null").is_err());
    assert!(read::<OnlyOpened>("account.Opened", 1, "7").is_err());
}

#[test]
fn a_struct_is_one_event_type() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    struct Renamed {
        to: String,
    }
    round_trip(&Renamed { to: "x".to_owned() }, ("Renamed", 1, r#"{"to":"x"}"#));

    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "moved", version = 2, upcast(1 = moved_v1))]
    struct Moved(u8, u8);
    fn moved_v1(both: u8) -> Moved {
        Moved(both, both)
    }
    round_trip(&Moved(1, 2), ("moved", 2, "[1,2]"));
    assert_eq!(read("moved", 1, "3"), Ok(Some(Moved(3, 3))));
    assert!(matches!(read::<Moved>("Moved", 1, "3"), Err(DecodeError::UnknownType { .. })));
}

#[test]
fn events_can_be_generic() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    enum Changed<T, const N: u8> {
        To(T),
        Nothing,
    }
    round_trip(&Changed::<String, 0>::To("x".to_owned()), ("To", 1, r#""x""#));
    round_trip(&Changed::<u8, 1>::Nothing, ("Nothing", 1, "null"));
}

/// G23: variants are told apart by the log's event type: their order and serde's names are free.
#[test]
fn variants_can_move_and_be_renamed() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[serde(rename_all = "camelCase")]
    enum Before {
        MoneyIn(u64),
        MoneyOut(u64),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    enum After {
        New,
        #[event(name = "MoneyOut")]
        #[serde(rename = "o", alias = "out")]
        Out(u64),
        #[event(name = "MoneyIn")]
        #[serde(alias = "in")]
        In(u64),
    }
    round_trip(&Before::MoneyIn(5), ("MoneyIn", 1, "5"));
    assert_eq!(read("MoneyIn", 1, "5"), Ok(Some(After::In(5))));
    assert_eq!(read("MoneyOut", 1, "6"), Ok(Some(After::Out(6))));
    round_trip(&After::New, ("New", 1, "null"));
    round_trip(&After::Out(1), ("MoneyOut", 1, "1"));
}

/// Where serde is told how the enum looks, that is the payload.
#[test]
fn a_representation_of_ones_own_is_kept() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[serde(tag = "type")]
    enum Tagged {
        In { cents: u64 },
        Out { cents: u64 },
    }
    round_trip(&Tagged::In { cents: 5 }, ("In", 1, r#"{"type":"In","cents":5}"#));
    let error = read::<Tagged>("Out", 1, r#"{"type":"In","cents":5}"#).unwrap_err();
    assert_eq!(error, DecodeError::WrongType { stored: "Out".to_owned(), read: "In" });

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[serde(into = "Wire", from = "Wire")]
    enum Through {
        A,
        B(u64),
    }
    #[derive(Serialize, Deserialize)]
    enum Wire {
        B(u64),
        A,
    }
    impl From<Through> for Wire {
        fn from(event: Through) -> Self {
            match event {
                Through::A => Self::A,
                Through::B(n) => Self::B(n),
            }
        }
    }
    impl From<Wire> for Through {
        fn from(wire: Wire) -> Self {
            match wire {
                Wire::A => Self::A,
                Wire::B(n) => Self::B(n),
            }
        }
    }
    round_trip(&Through::A, ("A", 1, r#""A""#));
    round_trip(&Through::B(2), ("B", 1, r#"{"B":2}"#));
}

/// serde by hand may number variants otherwise than they stand; that is found when it is written.
#[test]
fn a_number_that_is_not_the_variants_is_not_written() {
    #[derive(Deserialize, Event)]
    enum Odd {
        First,
        Second,
    }
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::First => serializer.serialize_unit_variant("Odd", 1, "First"),
                Self::Second => serializer.serialize_unit_variant("Odd", 1, "Second"),
            }
        }
    }
    assert!(Payloads::new(Json).encode(id("stream"), &Odd::Second).is_ok());
    let error = Payloads::new(Json).encode(id("stream"), &Odd::First).unwrap_err();
    let other = EncodeError::OtherVariant { event_type: "First", variant: "First", index: 1 };
    assert_eq!(error, other);
}

/// A crate under another name, or behind one.
mod behind {
    pub(crate) mod another {
        pub(crate) use annals::*;
    }
}

#[test]
fn annals_can_have_another_name() {
    #[derive(Command)]
    #[command(crate = "crate::behind::another")]
    struct Open {
        #[stream]
        account: StreamId,
    }
    assert_eq!(names(&Open { account: id("a") }), ["a"]);

    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[event(crate = "crate::behind::another")]
    enum Opened<T> {
        #[event(version = 2, upcast(1 = _))]
        Now(T),
    }
    round_trip(&Opened::Now(5), ("Now", 2, "5"));
}

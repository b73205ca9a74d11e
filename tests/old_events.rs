//! Events that older programs wrote, as the bytes that they wrote, read by today's types; of every
//! codec, by an executor that writes another one.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use annals::{
    Annals, Append, Bincode, Codec, CodecId, Command, CommandStreams, Decision, DecodeError, Event,
    EventSchema, ExecuteError, Executor, Json, MessagePack, NewEvent, Payloads, Postcard, Recorded,
    SchemaVersion, StreamId,
};
use serde::{Deserialize, Serialize};

/// What accounts are today. Order, names and shapes have changed since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 2, upcast(1 = closed_v1))]
    Closed { reason: Option<String> },
    #[event(version = 3, upcast(1 = deposited_v1, 2 = deposited_v2))]
    Deposited { cents: u64, currency: String },
    #[event(name = "Opened")]
    AccountOpened { owner: String },
    #[event(version = 2, upcast(1 = renamed_v1))]
    Renamed(String, String),
}

fn closed_v1((): ()) -> AccountEvent {
    AccountEvent::Closed { reason: None }
}

#[derive(Debug, Deserialize)]
struct DepositedV1 {
    euros: u32,
}

fn deposited_v1(DepositedV1 { euros }: DepositedV1) -> AccountEvent {
    deposited_v2(DepositedV2 { cents: u64::from(euros) * 100 })
}

#[derive(Debug, Deserialize)]
struct DepositedV2 {
    cents: u64,
}

fn deposited_v2(DepositedV2 { cents }: DepositedV2) -> AccountEvent {
    AccountEvent::Deposited { cents, currency: "EUR".to_owned() }
}

fn renamed_v1(to: String) -> Result<AccountEvent, &'static str> {
    if to.is_empty() {
        return Err("a name is empty");
    }
    Ok(AccountEvent::Renamed("unknown".to_owned(), to))
}

/// The first program's types.
mod first {
    #[derive(Debug, serde::Serialize, serde::Deserialize, annals::Event)]
    pub(crate) enum AccountEvent {
        Opened { owner: String },
        Deposited { euros: u32 },
        Renamed(String),
        Closed,
    }
}

/// The second program's.
mod second {
    #[derive(Debug, serde::Serialize, serde::Deserialize, annals::Event)]
    pub(crate) enum AccountEvent {
        #[event(version = 2, upcast(1 = _))]
        Deposited { cents: u64 },
    }
}

/// What lies in logs: type, version, and the payload of each codec, in hexadecimal.
struct Fixture {
    event_type: &'static str,
    version: u16,
    bincode: &'static str,
    json: &'static str,
    message_pack: &'static str,
    postcard: &'static str,
}

const OPENED_V1: Fixture = Fixture {
    event_type: "Opened",
    version: 1,
    bincode: "03416461",
    json: r#"{"owner":"Ada"}"#,
    message_pack: "81a56f776e6572a3416461",
    postcard: "03416461",
};
const DEPOSITED_V1: Fixture = Fixture {
    event_type: "Deposited",
    version: 1,
    bincode: "fb2c01",
    json: r#"{"euros":300}"#,
    message_pack: "81a56575726f73cd012c",
    postcard: "ac02",
};
const DEPOSITED_V2: Fixture = Fixture {
    event_type: "Deposited",
    version: 2,
    bincode: "05",
    json: r#"{"cents":5}"#,
    message_pack: "81a563656e747305",
    postcard: "05",
};
const RENAMED_V1: Fixture = Fixture {
    event_type: "Renamed",
    version: 1,
    bincode: "0442657473",
    json: r#""Bets""#,
    message_pack: "a442657473",
    postcard: "0442657473",
};
const CLOSED_V1: Fixture = Fixture {
    event_type: "Closed",
    version: 1,
    bincode: "",
    json: "null",
    message_pack: "c0",
    postcard: "",
};
const FIXTURES: [Fixture; 5] = [OPENED_V1, DEPOSITED_V1, DEPOSITED_V2, RENAMED_V1, CLOSED_V1];

const CODECS: [CodecId; 4] =
    [CodecId::BINCODE, CodecId::JSON, CodecId::MESSAGE_PACK, CodecId::POSTCARD];

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let (pairs, odd) = hexadecimal.as_bytes().as_chunks::<2>();
    assert!(odd.is_empty());
    pairs.iter().map(|p| u8::from_str_radix(str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

impl Fixture {
    fn payload(&self, codec: CodecId) -> Vec<u8> {
        match codec {
            CodecId::BINCODE => bytes(self.bincode),
            CodecId::JSON => self.json.as_bytes().to_vec(),
            CodecId::MESSAGE_PACK => bytes(self.message_pack),
            CodecId::POSTCARD => bytes(self.postcard),
            other => panic!("{other:?}"),
        }
    }

    fn event(&self, codec: CodecId) -> NewEvent {
        let event = NewEvent::new(stream(), self.event_type, self.payload(codec)).unwrap();
        event.with_codec(codec, SchemaVersion(self.version))
    }
}

/// What today's types make of them.
fn today() -> [AccountEvent; 5] {
    let deposited = |cents| AccountEvent::Deposited { cents, currency: "EUR".to_owned() };
    [
        AccountEvent::AccountOpened { owner: "Ada".to_owned() },
        deposited(30_000),
        deposited(5),
        AccountEvent::Renamed("unknown".to_owned(), "Bets".to_owned()),
        AccountEvent::Closed { reason: None },
    ]
}

fn stream() -> StreamId {
    StreamId::new("account").unwrap()
}

/// Closes the account again, and has the whole history in its state.
struct History;

impl CommandStreams for History {
    fn streams(&self) -> Vec<StreamId> {
        vec![stream()]
    }
}

impl Command for History {
    type State = Vec<AccountEvent>;
    type Event = AccountEvent;
    type Rejection = Vec<AccountEvent>;

    fn evolve(&self, history: &mut Vec<AccountEvent>, recorded: &Recorded<AccountEvent>) {
        history.push(recorded.event.clone());
    }

    fn decide(
        &self,
        history: &Vec<AccountEvent>,
    ) -> Result<Decision<AccountEvent>, Vec<AccountEvent>> {
        Err(history.clone())
    }
}

fn history<K: Codec>(annals: &Annals, codec: K) -> Vec<AccountEvent> {
    match Executor::with_codec(annals.clone(), codec).execute_blocking(&History) {
        Err(ExecuteError::Rejected(history)) => history,
        other => panic!("{other:?}"),
    }
}

/// Across a restart, by executors of every codec. Proves G23.
#[test]
fn old_events_of_every_codec_are_read_as_todays() {
    let directory = tempfile::tempdir().unwrap();
    let annals = Annals::open(directory.path()).unwrap();
    for codec in CODECS {
        let events = FIXTURES.iter().map(|fixture| fixture.event(codec));
        annals.append(&Append::new().events(events)).wait().unwrap();
    }
    annals.close().unwrap();
    let annals = Annals::open(directory.path()).unwrap();
    let expected: Vec<AccountEvent> = CODECS.iter().flat_map(|_| today()).collect();
    assert_eq!(history(&annals, Bincode), expected);
    assert_eq!(history(&annals, Json), expected);
    assert_eq!(history(&annals, MessagePack), expected);
    assert_eq!(history(&annals, Postcard), expected);
}

/// The bytes above are what the old types write. A codec that changed would be found here.
#[test]
fn old_types_still_write_the_same_bytes() {
    fn check<K: Codec>(codec: K) {
        let payloads = Payloads::new(codec);
        let owner = "Ada".to_owned();
        let written = [
            payloads.encode(stream(), &first::AccountEvent::Opened { owner }),
            payloads.encode(stream(), &first::AccountEvent::Deposited { euros: 300 }),
            payloads.encode(stream(), &second::AccountEvent::Deposited { cents: 5 }),
            payloads.encode(stream(), &first::AccountEvent::Renamed("Bets".to_owned())),
            payloads.encode(stream(), &first::AccountEvent::Closed),
        ];
        for (fixture, event) in FIXTURES.iter().zip(written) {
            let event = event.unwrap();
            assert_eq!(event, fixture.event(event.codec));
        }
    }
    check(Bincode);
    check(Json);
    check(MessagePack);
    check(Postcard);
}

fn error(annals: &Annals) -> DecodeError {
    match Executor::new(annals.clone()).execute_blocking(&History) {
        Err(ExecuteError::Decode { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

fn log(events: impl IntoIterator<Item = NewEvent>) -> Annals {
    let annals = Annals::in_memory().unwrap();
    annals.append(&Append::new().events(events)).wait().unwrap();
    annals
}

/// The program of yesterday meets a log of today. Proves G23.
#[test]
fn an_event_of_a_newer_version_is_an_error_that_says_so() {
    let mut newer = DEPOSITED_V2.event(CodecId::JSON);
    newer.schema_version = SchemaVersion(4);
    let error = error(&log([newer]));
    let text = "it is Deposited in version 4, and this program knows versions up to 3: a newer \
                program wrote it";
    assert_eq!(error.to_string(), text);
}

#[test]
fn an_old_event_that_cannot_be_made_new_is_an_error() {
    let mut empty = RENAMED_V1.event(CodecId::JSON);
    empty.payload = br#""""#.to_vec();
    let text = error(&log([empty])).to_string();
    assert_eq!(text, "it is Renamed in version 1, and could not be made newer: a name is empty");
    let mut zero = RENAMED_V1.event(CodecId::JSON);
    zero.schema_version = SchemaVersion(0);
    assert!(matches!(error(&log([zero])), DecodeError::NoUpcast { .. }));
}

/// Unknown types stop a decision, unless the executor was told to skip them. What it skips counts
/// in the stream's version all the same: the decision holds. Proves G23.
#[test]
fn an_unknown_type_is_an_error_unless_skipping_was_asked_for() {
    let unknown = NewEvent::new(stream(), "Frozen", "null").unwrap();
    let unknown = unknown.with_codec(CodecId::JSON, SchemaVersion::FIRST);
    let annals = log([unknown, CLOSED_V1.event(CodecId::JSON)]);
    assert_eq!(error(&annals), DecodeError::UnknownType { event_type: "Frozen".to_owned() });

    let payloads = Payloads::new(Bincode).skip_unknown();
    let executor = Executor::with_payloads(annals.clone(), payloads);
    match executor.execute_blocking(&History) {
        Err(ExecuteError::Rejected(history)) => {
            assert_eq!(history, [AccountEvent::Closed { reason: None }]);
        }
        other => panic!("{other:?}"),
    }
    let mut damaged = CLOSED_V1.event(CodecId::JSON);
    damaged.payload = b"{".to_vec();
    annals.append(&Append::new().event(damaged)).wait().unwrap();
    let result = executor.execute_blocking(&History);
    assert!(matches!(result, Err(ExecuteError::Decode { .. })), "{result:?}");
}

/// Someone keeps the number of the variant in the payload, and exchanges two variants: bincode
/// reads one for the other, and the event's type tells. Proves G23.
#[test]
fn an_event_that_reads_as_another_type_is_an_error() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Before {
        In(u64),
        Out(u64),
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum After {
        Out(u64),
        In(u64),
    }
    impl Event for Before {
        fn event_type(&self) -> &'static str {
            match self {
                Self::In(_) => "In",
                Self::Out(_) => "Out",
            }
        }
        fn schema(_: &str) -> Option<EventSchema> {
            Some(EventSchema::whole(SchemaVersion::FIRST))
        }
    }
    impl Event for After {
        fn event_type(&self) -> &'static str {
            match self {
                Self::In(_) => "In",
                Self::Out(_) => "Out",
            }
        }
        fn schema(_: &str) -> Option<EventSchema> {
            Some(EventSchema::whole(SchemaVersion::FIRST))
        }
    }
    let payloads = Payloads::new(Bincode);
    let events = [Before::In(5), Before::Out(6)].map(|e| payloads.encode(stream(), &e).unwrap());
    assert_eq!(events.each_ref().map(|event| event.payload.clone()), [[0, 5], [1, 6]]);
    let annals = log(events);
    let read: Vec<_> = annals
        .read_stream(&stream(), annals::StreamQuery::forward())
        .map(|event| payloads.decode::<After>(event.unwrap()).map(|_| ()))
        .collect();
    let wrong = |stored: &str, read| DecodeError::WrongType { stored: stored.to_owned(), read };
    assert_eq!(read, [Err(wrong("In", "Out")), Err(wrong("Out", "In"))]);
}

/// As events of another store lie in a log after they were copied: one name for the whole enum,
/// and the variant in the JSON.
#[test]
fn an_enum_under_one_name_is_read_whole() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Copied {
        Deposited { account: StreamId, cents: u64 },
    }
    impl Event for Copied {
        fn event_type(&self) -> &'static str {
            "AccountEvent"
        }
        fn schema(event_type: &str) -> Option<EventSchema> {
            (event_type == "AccountEvent").then(|| EventSchema::whole(SchemaVersion::FIRST))
        }
    }
    let json = r#"{"Deposited":{"account":"account","cents":5}}"#;
    let event = NewEvent::new(stream(), "AccountEvent", json).unwrap();
    let annals = log([event.with_codec(CodecId::JSON, SchemaVersion::FIRST)]);
    let mut events = annals.read_stream(&stream(), annals::StreamQuery::forward());
    let read = Payloads::new(Json).decode::<Copied>(events.next().unwrap().unwrap());
    let expected = Copied::Deposited { account: stream(), cents: 5 };
    assert_eq!(read.unwrap().unwrap().event, expected);
}

//! Connections and servers that are lost while appends are on their way.

use std::{collections::BTreeSet, thread, time::Duration};

use annals::{Append, AppendFailure, ExpectedVersion, NewEvent, StreamId, StreamVersion};
use annals_event::{ReadFrom, Store};
use annals_postgres::{PostgresStore, Settings, StoreError};

use crate::{contract::fresh, proxy::Proxy, server::Server};

fn event(stream: &str, payload: String) -> NewEvent {
    NewEvent::new(StreamId::new(stream).unwrap(), "Happened", payload).unwrap()
}

fn from_start(stream: &str) -> [ReadFrom; 1] {
    [ReadFrom { stream: StreamId::new(stream).unwrap(), after: StreamVersion::ZERO }]
}

/// The server committed, and its answer was lost. The append is sent again, without ids and with an
/// expectation that no longer holds, and must be found to have happened.
pub(crate) fn an_append_whose_answer_was_lost_happened_once(server: &Server) {
    let schema = server.schema();
    drop(fresh(&server.settings_of(&schema)));
    let proxy = Proxy::before(server.socket());
    let through = Settings::parse(&proxy.connection()).unwrap().schema(schema);
    let store = PostgresStore::open(through).unwrap();
    for version in 0..20 {
        let expected = ExpectedVersion::Exactly(StreamVersion::new(version));
        let append = Append::new()
            .event(event("a", version.to_string()))
            .event(event("b", version.to_string()))
            .expect(StreamId::new("a").unwrap(), expected);
        proxy.cut();
        let committed = store.append_blocking(&append).unwrap();
        assert!(proxy.has_cut(), "the answer was not lost");
        assert_eq!(committed.first.get(), version * 2 + 1);
        let versions: Vec<u64> = committed.versions.iter().map(|version| version.get()).collect();
        assert_eq!(versions, [version + 1; 2]);
    }
    let snapshot = store.read_blocking(&from_start("a"), None).unwrap();
    assert_eq!((snapshot.events.len(), snapshot.position.get()), (20, 40));
}

/// As above, with many at once that write to one stream: what is sent again happens once, and takes
/// no version twice and leaves none out.
pub(crate) fn appends_at_once_whose_answers_are_lost_happen_once(server: &Server) {
    const THREADS: u64 = 8;
    const EACH: u64 = 40;
    let schema = server.schema();
    let direct = fresh(&server.settings_of(&schema));
    let proxy = Proxy::before(server.socket());
    let through = Settings::parse(&proxy.connection()).unwrap().schema(schema);
    let store = PostgresStore::open(through).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, proxy) = (&store, &proxy);
            scope.spawn(move || {
                let own = format!("own-{thread}");
                for count in 0..EACH {
                    let mut append =
                        Append::new().event(event("shared", format!("{thread} {count}")));
                    if thread % 2 == 0 {
                        let expected = ExpectedVersion::Exactly(StreamVersion::new(count));
                        append = append
                            .event(event(&own, count.to_string()))
                            .expect(StreamId::new(&own).unwrap(), expected);
                    }
                    if count % 5 == 0 {
                        proxy.cut();
                    }
                    store.append_blocking(&append).unwrap();
                }
            });
        }
    });
    let events = direct.read_blocking(&from_start("shared"), None).unwrap().events;
    let versions: Vec<u64> = events.iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, (1..=THREADS * EACH).collect::<Vec<_>>());
    let payloads: BTreeSet<_> = events.into_iter().map(|event| event.payload).collect();
    assert_eq!(payloads.len(), versions.len(), "an append happened twice, and another did not");
}

/// Reads are asked again.
pub(crate) fn a_read_whose_answer_was_lost_is_asked_again(server: &Server) {
    let schema = server.schema();
    let direct = fresh(&server.settings_of(&schema));
    direct.append_blocking(&Append::new().event(event("a", String::new()))).unwrap();
    let proxy = Proxy::before(server.socket());
    let through = Settings::parse(&proxy.connection()).unwrap().schema(schema);
    let store = PostgresStore::open(through).unwrap();
    proxy.cut();
    assert_eq!(store.read_blocking(&from_start("a"), None).unwrap().events.len(), 1);
    assert!(proxy.has_cut());
}

/// Whoever waits for a server that does not come back hears of it, and what it means.
pub(crate) fn a_server_that_stays_away_is_an_error(_: &Server) {
    let server = Server::start(crate::server::programs().unwrap());
    let store = fresh(&server.settings().patience(Duration::from_millis(200)));
    let append = Append::new().event(event("a", String::new()));
    store.append_blocking(&append).unwrap();
    server.crash();
    match store.append_blocking(&append) {
        Err(AppendFailure::Store(StoreError::Connect(_) | StoreError::OutcomeUnknown(_))) => {}
        other => panic!("{other:?}"),
    }
    let read = store.read_blocking(&from_start("a"), None);
    assert!(
        matches!(read, Err(StoreError::Connect(_) | StoreError::OutcomeUnknown(_))),
        "{read:?}"
    );
    server.begin();
    store.append_blocking(&append).unwrap();
    server.crash();
    server.begin();
    assert!(store.read_blocking(&from_start("a"), None).unwrap().events.len() >= 2);
}

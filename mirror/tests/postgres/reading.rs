//! What reads cost the server.

use std::{
    thread,
    time::{Duration, Instant},
};

use annals::{Append, NewEvent, Store, StreamId, StreamVersion};
use annals_event::ReadFrom;
use annals_postgres::{PostgresStore, Settings};

use crate::{contract::fresh, proxy::Proxy, server::Server};

const EVENTS: u64 = 5_000;

/// Who has read a stream, and asks what is new, was once shown the way past all that is old: the
/// server looked at each event of the stream, for one that was new. Commands became slower with
/// each event.
pub(crate) fn what_is_known_is_not_looked_at(server: &Server) {
    let store = fresh(&server.settings_of("looked_at"));
    let stream = StreamId::new("a").unwrap();
    let event = || NewEvent::new(stream.clone(), "Happened", "").unwrap();
    store.append_blocking(&Append::new().events((0..EVENTS).map(|_| event()))).unwrap();
    let counted = || -> (u64, u64) {
        let counts = server.query(
            "SELECT idx_scan || ' ' || idx_tup_fetch FROM pg_stat_user_tables
             WHERE schemaname = 'looked_at' AND relname = 'events'",
        );
        let (scans, fetched) = counts.split_once(' ').unwrap();
        (scans.parse().unwrap(), fetched.parse().unwrap())
    };
    let (scans, fetched) = counted();
    let after = StreamVersion::new(EVENTS - 1);
    let from = [ReadFrom { stream: stream.clone(), after }];
    // The server tells its counts when it gets to it.
    while counted().0 < scans + 200 {
        let snapshot = store.read_blocking(&from, None).unwrap();
        assert_eq!(snapshot.events.len(), 1);
    }
    let (now, fetched) = (counted(), fetched);
    let (scans, fetched) = (now.0 - scans, now.1 - fetched);
    assert!(fetched < scans * 10, "{fetched} events in {scans} looks");
}

/// While one connection waits for its answer, another one reads. With one connection alone, or with
/// one that kept the reading to itself, this would not end.
pub(crate) fn a_read_that_takes_long_holds_up_nobody(server: &Server) {
    let schema = server.schema();
    drop(fresh(&server.settings_of(&schema)));
    let proxy = Proxy::before(server.socket());
    let through = Settings::parse(&proxy.connection()).unwrap().schema(schema);
    let store = PostgresStore::open(through).unwrap();
    proxy.hold();
    thread::scope(|scope| {
        let long = scope.spawn(|| store.read_blocking(&[], None).unwrap());
        while !proxy.is_holding() {
            thread::yield_now();
        }
        let short = scope.spawn(|| store.read_blocking(&[], None).unwrap());
        let start = Instant::now();
        while !short.is_finished() && start.elapsed() < Duration::from_mins(1) {
            thread::sleep(Duration::from_millis(5));
        }
        let was_held_up = !short.is_finished();
        assert!(!long.is_finished());
        proxy.let_go();
        assert!(!was_held_up, "a read waited for another one");
    });
}

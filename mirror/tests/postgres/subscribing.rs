//! Subscriptions to the store.

use std::{collections::BTreeMap, thread, time::Duration};

use annals::{Append, Delivery, NewEvent, Position, StreamId};
use annals_event::Store;
use annals_postgres::{PostgresStore, StoreError, Subscription};

use crate::{contract::fresh, server::Server};

fn one(stream: &str) -> Append {
    Append::new().event(NewEvent::new(StreamId::new(stream).unwrap(), "Happened", "x").unwrap())
}

/// The positions delivered, up to this one.
fn until(subscription: &mut Subscription, last: u64) -> Vec<u64> {
    let mut positions = Vec::new();
    while positions.last() != Some(&last) {
        if let Delivery::Event(event) = subscription.recv().unwrap() {
            positions.push(event.position.get());
        }
    }
    positions
}

/// Many processes append at once, and a reader that follows misses nothing: whatever it has seen,
/// nothing appears before it later.
pub(crate) fn no_event_is_missed_while_many_append(server: &Server) {
    const STORES: u64 = 6;
    const EACH: u64 = 60;
    let settings = server.settings();
    let store = fresh(&settings);
    let mut subscription = store.subscribe(Position::ZERO);
    thread::scope(|scope| {
        for number in 0..STORES {
            let settings = settings.clone();
            scope.spawn(move || {
                // As another process would: with connections of its own.
                let store = PostgresStore::open(settings.readers(1)).unwrap();
                for _ in 0..EACH {
                    store.append_blocking(&one(&format!("stream-{number}"))).unwrap();
                }
            });
        }
        let positions = until(&mut subscription, STORES * EACH);
        assert_eq!(positions, (1..=STORES * EACH).collect::<Vec<_>>());
    });
    let mut versions = BTreeMap::new();
    let mut again = store.subscribe(Position::ZERO);
    loop {
        match again.recv().unwrap() {
            Delivery::Event(event) => {
                let version = versions.entry(event.stream).or_insert(0);
                *version += 1;
                assert_eq!(event.version.get(), *version);
            }
            Delivery::CaughtUp(position) => {
                assert_eq!(position.get(), STORES * EACH);
                break;
            }
        }
    }
}

/// Told by the server: with a poll interval longer than the test would last.
pub(crate) fn who_has_caught_up_is_told_of_what_is_new(server: &Server) {
    let store = fresh(&server.settings().poll_interval(Duration::from_hours(10)));
    store.append_blocking(&one("a")).unwrap();
    let mut subscription = store.subscribe(Position::new(1));
    assert_eq!(subscription.recv().unwrap(), Delivery::CaughtUp(Position::new(1)));
    for position in 2..5 {
        store.append_blocking(&one("a")).unwrap();
        assert_eq!(until(&mut subscription, position), [position]);
    }
    drop(store);
    let ended = loop {
        match subscription.recv() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, StoreError::Closed), "{ended:?}");
}

/// What nobody told of is found by looking.
pub(crate) fn what_was_not_told_is_found(server: &Server) {
    let settings = server.settings_of("untold").poll_interval(Duration::from_millis(20));
    let store = fresh(&settings);
    store.append_blocking(&one("a")).unwrap();
    let mut subscription = store.subscribe(Position::ZERO);
    assert_eq!(until(&mut subscription, 1), [1]);
    assert_eq!(subscription.recv().unwrap(), Delivery::CaughtUp(Position::new(1)));
    for position in 2..5 {
        // As `append` would, but for the notification.
        server.sql(&format!(
            "INSERT INTO untold.events SELECT {position}, stream, {position}, now(), 0, codec,
                schema_version, type, NULL, NULL, payload FROM untold.events WHERE position = 1"
        ));
        assert_eq!(until(&mut subscription, position), [position]);
    }
}

/// Nothing is told when the connection that listens was lost; what happened meanwhile is found.
pub(crate) fn a_subscription_survives_that_its_server_crashes(_: &Server) {
    let server = Server::start(crate::server::programs().unwrap());
    let store = fresh(&server.settings());
    let mut subscription = store.subscribe(Position::ZERO);
    for round in 0..3 {
        store.append_blocking(&one("a")).unwrap();
        assert_eq!(until(&mut subscription, 2 * round + 1), [2 * round + 1]);
        server.crash();
        server.begin();
        store.append_blocking(&one("a")).unwrap();
        assert_eq!(until(&mut subscription, 2 * round + 2), [2 * round + 2]);
    }
}

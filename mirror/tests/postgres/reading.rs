//! What reads cost the server.

use annals::{Append, NewEvent, Store, StreamId, StreamVersion};
use annals_event::ReadFrom;

use crate::{contract::fresh, server::Server};

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

//! A server that is killed a hundred times under load. A store appends to it and a mirror copies
//! into it, so that each kill tells of both: what was acknowledged is there, nothing is there twice,
//! and the mirror ends equal to its log.
//!
//! `immediate` ends all processes of the server where they are, in the middle of a COPY or of a
//! commit, and writes nothing. What the operating system has taken stays, so this says nothing of
//! power cuts.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, ExpectedVersion, NewEvent, Options, ReadFrom, Store, StreamId, StreamVersion,
};
use annals_postgres::{Mirror, PostgresStore};

use crate::{
    contract::fresh,
    mirroring::{assert_same, fill, mirror_of},
    server::Server,
};

/// Unless `ANNALS_KILLS` says something else.
const KILLS: u32 = 100;

/// Who appends to the store.
const CALLERS: usize = 4;

/// So far the log may be ahead of its mirror.
const AHEAD_MAX: u64 = 20_000;

pub(crate) fn nothing_is_lost_or_doubled(_: &Server) {
    // A server of its own: the other tests use theirs.
    let server = Server::start(crate::server::programs().unwrap());
    let store = fresh(&server.settings().patience(Duration::from_mins(5)));
    let settings = server.settings();
    let directory = tempfile::tempdir().unwrap();
    let annals = Options::new().segment_bytes(1 << 20).open(directory.path()).unwrap();
    let mirror = mirror_of(&annals, &settings);
    let (is_over, appended) = (AtomicBool::new(false), AtomicU64::new(0));
    let acknowledged: Vec<(StreamId, u64)> = thread::scope(|scope| {
        let (is_over, appended, store) = (&is_over, &appended, &store);
        let append = |caller| move || append(store, caller, is_over, appended);
        let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(append(caller))).collect();
        scope.spawn(|| write(&annals, &mirror, is_over));
        kill(&server, &annals, &mirror, appended);
        is_over.store(true, Ordering::Release);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let mut payloads = BTreeSet::new();
    for (stream, count) in acknowledged {
        let from = ReadFrom { stream: stream.clone(), after: StreamVersion::ZERO };
        let events = store.read_blocking(&[from], None).unwrap().events;
        assert_eq!(events.len(), usize::try_from(count).unwrap(), "{stream}");
        assert!(events.into_iter().all(|event| payloads.insert((event.stream, event.payload))));
    }
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &settings);
}

/// Appends until it is over. Each append expects the one before it.
fn append(
    store: &PostgresStore,
    caller: usize,
    is_over: &AtomicBool,
    appended: &AtomicU64,
) -> (StreamId, u64) {
    let stream = StreamId::new(&format!("caller {caller}")).unwrap();
    let mut count = 0;
    while !is_over.load(Ordering::Acquire) {
        let event = NewEvent::new(stream.clone(), "Happened", count.to_string()).unwrap();
        let expected = ExpectedVersion::Exactly(StreamVersion::new(count));
        let append = Append::new().event(event).expect(stream.clone(), expected);
        let committed = store.append_blocking(&append).unwrap();
        count += 1;
        assert_eq!(committed.versions.as_slice(), [StreamVersion::new(count)]);
        appended.fetch_add(1, Ordering::AcqRel);
    }
    (stream, count)
}

/// Writes the log until it is over; also while the server is away, but not ahead for ever.
fn write(annals: &Annals, mirror: &Mirror, is_over: &AtomicBool) {
    let mut seed = 0;
    while !is_over.load(Ordering::Acquire) {
        fill(annals, seed, 200);
        seed += 1;
        until(|| mirror.lag().events() <= AHEAD_MAX || is_over.load(Ordering::Acquire));
    }
}

/// Kills the server again and again, each time when both have gone on since it began.
fn kill(server: &Server, annals: &Annals, mirror: &Mirror, appended: &AtomicU64) {
    for kill in 0..crate::kills(KILLS) {
        // Not always at the same place of what they do.
        thread::sleep(Duration::from_millis(u64::from(kill % 7) * 3));
        server.crash();
        let (before, mirrored) = (appended.load(Ordering::Acquire), mirror.lag().mirrored);
        // The log goes on.
        let position = annals.position();
        until(|| mirror.lag().events() > AHEAD_MAX / 2 || annals.position() > position);
        server.begin();
        // More than were on their way.
        let on_their_way = u64::try_from(CALLERS).unwrap();
        until(|| appended.load(Ordering::Acquire) > before + on_their_way);
        mirror.wait_for(mirrored.plus(1), |_| {}).unwrap();
    }
}

/// Waits without taking the server's time.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

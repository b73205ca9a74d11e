//! A whole directory, through the public way in: opened, read in every way, written to, closed
//! and opened again, against the naive decoder.

use std::{collections::BTreeMap, sync::Arc};

use annals::{
    Annals, Append, Events, LogQuery, NewEvent, OpenError, Options, Position, StreamId,
    StreamQuery, Threads,
};
use annals_sim::SimEnvironment;
use annals_wal::{Directory, Memory};

use crate::{
    archive::Archive,
    memory::capped,
    naive::{self, Event},
    plain::Plain,
};

/// The input is an archive.
pub fn store(input: &[u8]) {
    let files = Archive::parse(input).files();
    let given = files.values().map(Vec::len).sum();
    let expected = naive::log(&files);
    let has_images = files.keys().any(|name| name.ends_with(".idx"));
    // Some are read through mappings.
    let directory: Arc<dyn Directory> = if input.len().is_multiple_of(8) {
        Arc::new(mapped(&files))
    } else {
        Arc::new(Plain::from(&files))
    };
    // An event in memory, with its place and the name of its stream, is larger than the shortest
    // event on disk.
    let opened = capped(given, 32, || open(&directory));
    let Some(expected) = expected else {
        // Nothing is put beside what is no log; leftovers of a log that never began are removed.
        let is_foreign = has_images;
        assert_eq!(matches!(opened, Err(OpenError::NotALog { .. })), is_foreign, "{opened:?}");
        return;
    };
    let Ok(store) = opened else {
        assert!(expected.is_err() || has_images, "{opened:?}");
        return;
    };
    match expected {
        Ok(log) => {
            assert_eq!(store.position().get(), u64::try_from(log.events.len()).unwrap());
            check(&store, &log, has_images, given);
            go_on(store, &directory, &log, has_images);
        }
        // An image stands for a segment that is not looked at.
        Err(refusal) => {
            assert!(has_images, "{refusal:?} was not noticed");
            capped(given, 1024, || read_all(&store));
        }
    }
}

fn mapped(files: &naive::Files) -> Memory {
    let directory = Memory::default();
    for (name, bytes) in files {
        let file = directory.create(name).unwrap();
        assert_eq!(file.write_at(0, bytes).unwrap(), bytes.len());
    }
    directory
}

pub(crate) fn open(directory: &Arc<dyn Directory>) -> Result<Annals, OpenError> {
    let options = Options::new().threads(Threads::Inline).segment_bytes(8 << 10);
    options.environment(Arc::new(SimEnvironment::new(0))).open_on(directory.clone())
}

/// Reads everything that is there until the first errors.
fn read_all(store: &Annals) {
    store.read_all(LogQuery::forward()).for_each(drop);
    store.read_all(LogQuery::backward()).for_each(drop);
    for (stream, _) in store.streams("") {
        store.read_stream(&stream, StreamQuery::forward()).for_each(drop);
        store.read_stream(&stream, StreamQuery::backward()).for_each(drop);
    }
}

/// Whether events are the beginning of what they should be; all of it, if nothing may fail.
fn is_right<'a>(events: Events, expected: impl Iterator<Item = &'a Event>, may_fail: bool) -> bool {
    let mut expected = expected.peekable();
    for found in events {
        match found {
            Ok(found)
                if expected.next_if(|expected| **expected == naive::event(&found)).is_some() => {}
            Ok(_) => return false,
            Err(_) => return may_fail,
        }
    }
    may_fail || expected.next().is_none()
}

fn check(store: &Annals, log: &naive::Log, may_fail: bool, given: usize) {
    let forward = || store.read_all(LogQuery::forward());
    assert!(is_right(forward(), log.events.iter(), may_fail), "forward");
    let backward = || store.read_all(LogQuery::backward());
    assert!(is_right(backward(), log.events.iter().rev(), may_fail), "backward");
    // One frame's events at a time are in memory.
    capped(given, 256, || backward().for_each(drop));
    let middle = Position::new(u64::try_from(log.events.len() / 2).unwrap());
    let late = log.events.iter().filter(|event| event.position >= middle.get());
    assert!(is_right(store.read_all(LogQuery::forward().from(middle)), late, may_fail), "from");
    let streams: BTreeMap<String, u64> =
        store.streams("").into_iter().map(|(s, v)| (s.as_str().to_owned(), v.get())).collect();
    if !may_fail {
        assert_eq!(streams, log.streams);
    }
    for name in streams.keys() {
        let stream = StreamId::new(name).unwrap();
        let of_it = || log.events.iter().filter(|event| event.stream == *name);
        let forward = store.read_stream(&stream, StreamQuery::forward());
        assert!(is_right(forward, of_it(), may_fail), "stream {name:?}");
        let backward = store.read_stream(&stream, StreamQuery::backward());
        assert!(is_right(backward, of_it().rev(), may_fail), "stream {name:?} backward");
    }
}

/// Appends, and opens again.
fn go_on(store: Annals, directory: &Arc<dyn Directory>, log: &naive::Log, has_images: bool) {
    let stream = StreamId::new("fuzz").unwrap();
    let new = NewEvent::new(stream, "Fuzzed", vec![1; 3000]).unwrap();
    let appended = store.append(&Append::new().event(new.clone()).event(new)).wait();
    let closed = store.close();
    assert!(has_images || (appended.is_ok() && closed.is_ok()), "{appended:?} {closed:?}");
    drop(store);
    match (open(directory), appended) {
        (Ok(store), Ok(committed)) => {
            assert_eq!(store.position(), committed.last);
            let all: Vec<_> = store.read_all(LogQuery::forward()).collect();
            let is_prefix = all.iter().zip(&log.events).all(|(found, expected)| {
                found.as_ref().is_ok_and(|found| naive::event(found) == *expected)
            });
            assert!(has_images || (is_prefix && all.iter().all(Result::is_ok)));
        }
        (Ok(_), Err(_)) => {}
        (Err(error), _) => assert!(has_images, "what was open cannot be opened again: {error}"),
    }
}

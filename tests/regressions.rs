//! Bugs that were found by looking, each with the story of what went wrong.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

use std::{
    fs,
    future::Future,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, AppendError, Conflicts, EventId, ExpectedVersion, NewEvent, Options, Position,
    ReadError, Store, StreamId, StreamQuery, StreamVersion, SyncPolicy,
};

fn append(stream: &str, payload_bytes: usize) -> Append {
    let stream = StreamId::new(stream).unwrap();
    Append::new().event(NewEvent::new(stream, "Happened", vec![7; payload_bytes]).unwrap())
}

/// The flusher wrote groups until none was left and only then looked at the clock: while appends
/// kept coming, the interval was never kept, and a power failure could have lost everything since.
#[test]
fn the_interval_is_kept_while_appends_keep_coming() {
    let dir = tempfile::tempdir().unwrap();
    let policy = SyncPolicy::Interval(Duration::from_millis(1));
    let annals = Options::new().sync_policy(policy).open(dir.path()).unwrap();
    let before = annals.stats().log.syncs;
    // More than the changes of segments bring about.
    let is_kept = || annals.stats().log.syncs >= before + 40;
    thread::scope(|scope| {
        for stream in ["a", "b", "c"] {
            let (annals, is_kept) = (&annals, &is_kept);
            scope.spawn(move || {
                let append = append(stream, 20);
                (0..500_000).take_while(|_| !is_kept()).for_each(|_| drop(annals.append(&append)));
            });
        }
    });
    assert!(is_kept(), "{} syncs", annals.stats().log.syncs - before);
}

/// Drops a handle when it is woken.
struct DropsHandle(Mutex<Option<Annals>>);

impl Wake for DropsHandle {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

/// Wakers ran while the writer was held: one that dropped the last handle, which closes the
/// store, which writes, waited for itself for ever, and the directory stayed locked.
#[test]
fn a_waker_may_drop_the_last_handle() {
    let dir = tempfile::tempdir().unwrap();
    let annals = Annals::open(dir.path()).unwrap();
    let mut pending = Box::pin(annals.append(&append("a", 10)));
    let waker = Waker::from(Arc::new(DropsHandle(Mutex::new(Some(annals)))));
    let mut context = Context::from_waker(&waker);
    while pending.as_mut().poll(&mut context).is_pending() {
        thread::yield_now();
    }
    drop(waker);
    // The handle is dropped in the flusher's thread, soon.
    let opened = (0..1_000_000).find_map(|_| {
        thread::yield_now();
        Annals::open(dir.path()).ok()
    });
    assert_eq!(opened.unwrap().position(), Position::new(1));
}

/// Closes the store when it is woken.
struct Closes(Mutex<Option<Annals>>);

impl Wake for Closes {
    fn wake(self: Arc<Self>) {
        let annals = self.0.lock().unwrap().take();
        if let Some(annals) = annals {
            annals.close().unwrap();
        }
    }
}

/// Closing wakes those who wait. A waker that closed waited for the thread that it ran in, or for
/// one that waited for it, for ever, and the directory stayed locked.
#[test]
fn a_waker_may_close_what_is_being_closed() {
    for round in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let annals = Annals::open(dir.path()).unwrap();
        annals.append(&append("a", 10)).wait().unwrap();
        let mut subscription = annals.subscribe(Position::new(1));
        subscription.try_recv().unwrap();
        let waker = Waker::from(Arc::new(Closes(Mutex::new(Some(annals.clone())))));
        let mut next = Box::pin(subscription.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // Woken by the close's own thread, or by the flusher, for which the close waits.
        let pending = (round % 2 == 1).then(|| annals.append(&append("a", 10)));
        drop(pending);
        annals.close().unwrap();
        Annals::open(dir.path()).unwrap();
    }
}

/// Appends when it is woken, and waits for it.
struct Appends(Mutex<Option<Annals>>);

impl Wake for Appends {
    fn wake(self: Arc<Self>) {
        let annals = self.0.lock().unwrap().take();
        if let Some(annals) = annals {
            annals.append(&append("b", 10)).wait().unwrap();
        }
    }
}

/// A waker that appended and waited slept in the flusher's thread until the flusher wrote: nobody
/// did, and whoever appended after it waited for ever as well.
#[test]
fn a_waker_may_wait_for_an_append_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let annals = Annals::open(dir.path()).unwrap();
    for round in 1..=20 {
        let waker = Waker::from(Arc::new(Appends(Mutex::new(Some(annals.clone())))));
        let mut pending = Box::pin(annals.append(&append("a", 10)));
        let mut context = Context::from_waker(&waker);
        while pending.as_mut().poll(&mut context).is_pending() {
            thread::yield_now();
        }
        annals.append(&append("c", 10)).wait().unwrap();
        drop(pending);
        // What the waker appended may be on its way yet.
        let stream = StreamId::new("b").unwrap();
        while annals.stream_version(&stream) < StreamVersion::new(round) {
            thread::yield_now();
        }
    }
}

/// A subscription kept the whole store alive: after the last handle was gone, nobody could write
/// any more, and nobody else could open the directory.
#[test]
fn a_subscription_does_not_keep_the_store_open() {
    let dir = tempfile::tempdir().unwrap();
    let annals = Annals::open(dir.path()).unwrap();
    let mut subscription = annals.subscribe(Position::ZERO);
    let listening = thread::spawn(move || {
        loop {
            if let Err(error) = subscription.recv() {
                return error;
            }
        }
    });
    annals.append(&append("a", 10)).wait().unwrap();
    drop(annals);
    assert!(matches!(listening.join().unwrap(), ReadError::Closed));
    assert_eq!(Annals::open(dir.path()).unwrap().position(), Position::new(1));
}

/// A segment without events that was closed cleanly and then replaced by a larger one took over
/// the durable offset of the old one: its frames claimed to prove what was never written, and the
/// log could not be opened again.
#[test]
fn an_empty_log_takes_a_first_commit_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Options::new().segment_bytes(8 << 10).open(dir.path()).unwrap();
    for _ in 0..3 {
        open().close().unwrap();
    }
    let annals = open();
    annals.append(&append("a", 100 << 10)).wait().unwrap();
    annals.append(&append("a", 10)).wait().unwrap();
    drop(annals);
    let stream = StreamId::new("a").unwrap();
    let events: Vec<_> =
        open().read_stream(&stream, StreamQuery::forward()).map(Result::unwrap).collect();
    assert_eq!(events.iter().map(|event| event.payload.len()).collect::<Vec<_>>(), [100 << 10, 10]);
}

/// Only the ids were compared: the same id for an event of another stream was answered with the
/// first result, and the event was lost. Proves G11.
#[test]
fn an_id_that_is_used_for_something_else_is_refused() {
    let annals = Annals::in_memory().unwrap();
    let with_id = |stream: &str, event_type: &'static str| {
        let stream = StreamId::new(stream).unwrap();
        let event = NewEvent::new(stream, event_type, "x").unwrap();
        Append::new().event(event.with_id(EventId::new([1; 16])))
    };
    let first = annals.append(&with_id("order-1", "Placed")).wait().unwrap();
    assert_eq!(annals.append(&with_id("order-1", "Placed")).wait().unwrap(), first);
    for other in [with_id("order-2", "Placed"), with_id("order-1", "Paid")] {
        let error = annals.append(&other).wait().unwrap_err();
        assert!(matches!(error, AppendError::IdInUse { .. }), "{error}");
    }
}

/// An append that expected the same of a stream twice was told of its conflict twice, if nobody knew
/// the stream yet. Proves G10.
#[test]
fn a_conflict_is_told_once_for_each_stream() {
    let annals = Annals::in_memory().unwrap();
    let [a, b] = ["a", "b"].map(|name| StreamId::new(name).unwrap());
    for _ in 0..2 {
        let mut expecting = append("a", 1);
        for stream in [&b, &a, &b, &a, &b] {
            expecting =
                expecting.expect(stream.clone(), ExpectedVersion::Exactly(StreamVersion::new(9)));
        }
        let error = annals.append(&expecting).wait().unwrap_err();
        let AppendError::Conflict(Conflicts(conflicts)) = error else { panic!("{error}") };
        let streams: Vec<_> = conflicts.iter().map(|conflict| conflict.stream.clone()).collect();
        assert_eq!(streams, [b.clone(), a.clone()]);
        // Now one of them is known.
        annals.append(&append("b", 1)).wait().unwrap();
    }
}

fn small(path: &Path) -> Annals {
    Options::new().segment_bytes(8 << 10).open(path).unwrap()
}

/// Appends events of 100 bytes to a stream until the first segment has its image; says how many.
fn append_until_imaged(annals: &Annals, stream: &str) -> u64 {
    let mut count = 0;
    while annals.stats().images == 0 {
        annals.append(&append(stream, 100)).wait().unwrap();
        count += 1;
    }
    count
}

fn copy_files(from: &Path, to: &Path, kind: &str) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == kind) {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Fills a segment, whose image is written; a copy of it as it was in between is kept.
fn fill(path: &Path, older: &Path) {
    let annals = small(path);
    annals.append(&append("a", 100)).wait().unwrap();
    annals.close().unwrap();
    copy_files(path, older, "seg");
    let annals = small(path);
    append_until_imaged(&annals, "a");
    annals.close().unwrap();
}

/// A log was restored from an older copy of its segments, beside which the newer index images still
/// lay, and went on with other events of the same size. The next opening took the old image for that
/// of the segment: a stream was empty, another longer than it was, expectations that did not hold were
/// found to hold, and once the image was deleted, nothing could be opened any more. Proves G8.
#[test]
fn an_image_of_another_life_of_its_segment_is_not_used() {
    let (dir, older, images) = (tempdir(), tempdir(), tempdir());
    fill(dir.path(), older.path());
    let images_used = small(dir.path()).stats().images;
    assert_eq!(images_used, 1, "the image of this life is used");
    copy_files(dir.path(), images.path(), "idx");
    for entry in fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
        fs::remove_file(entry.path()).unwrap();
    }
    copy_files(older.path(), dir.path(), "seg");
    let annals = small(dir.path());
    let appended = append_until_imaged(&annals, "b");
    annals.close().unwrap();
    // As if the process had ended before the image of this life was written.
    copy_files(images.path(), dir.path(), "idx");

    let annals = small(dir.path());
    let [a, b] = ["a", "b"].map(|name| StreamId::new(name).unwrap());
    assert_eq!(annals.stream_version(&a), StreamVersion::new(1));
    assert_eq!(annals.stream_version(&b), StreamVersion::new(appended));
    let read = annals.read_stream(&b, StreamQuery::forward()).map(Result::unwrap);
    assert_eq!(read.count(), usize::try_from(appended).unwrap());
    let refused = annals.append(&append("b", 100).expect(b, ExpectedVersion::NoStream)).wait();
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
}

/// An image of a full segment was left beside the same segment as it was before, restored from an
/// older copy, until the segment was full again: that the seal is another was all that told it from
/// the right one. Proves G8.
#[test]
fn an_image_beside_the_last_segment_is_removed() {
    let (dir, older) = (tempdir(), tempdir());
    fill(dir.path(), older.path());
    let image = dir.path().join(format!("{:020}.idx", 1));
    let of_another_life = fs::read(&image).unwrap();
    // One that belongs there stays, without being written again.
    small(dir.path()).close().unwrap();
    assert_eq!(fs::read(&image).unwrap(), of_another_life);

    for entry in fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
        fs::remove_file(entry.path()).unwrap();
    }
    copy_files(older.path(), dir.path(), "seg");
    for left in [&of_another_life[..], &of_another_life[..50], b""] {
        fs::write(&image, left).unwrap();
        let annals = small(dir.path());
        assert!(!image.exists(), "it waits to be taken for the right one");
        annals.close().unwrap();
    }
    let annals = small(dir.path());
    append_until_imaged(&annals, "b");
    annals.close().unwrap();
    assert!(fs::read(&image).unwrap() != of_another_life);
}

/// An id was looked up in a mapped image, of which a bit had flipped since it was opened: another
/// commit was told as the first result of a command that had perhaps never happened. Proves G8.
#[test]
fn an_id_that_leads_astray_is_the_image_s_fault() {
    let dir = tempdir();
    let id = |number: u64| EventId::new(u128::from(number).to_le_bytes());
    let identified = |number| {
        let event = NewEvent::new(StreamId::new("a").unwrap(), "Happened", vec![7; 100]).unwrap();
        Append::new().event(event.with_id(id(number)))
    };
    let annals = small(dir.path());
    let mut count = 0;
    while annals.stats().images == 0 {
        count += 1;
        annals.append(&identified(count)).wait().unwrap();
    }
    annals.close().unwrap();
    let annals = small(dir.path());
    let first = annals.find_blocking(id(3)).unwrap().unwrap();
    assert_eq!(first.first, Position::new(3));

    let path = dir.path().join(format!("{:020}.idx", 1));
    let bytes = fs::read(&path).unwrap();
    let mut row = id(3).as_bytes().to_vec();
    row.extend(2_u32.to_le_bytes());
    let at = bytes.windows(row.len()).position(|window| window == row).unwrap() + 16;
    let file = fs::File::options().write(true).open(&path).unwrap();
    // Of another event, and of none that there is.
    for flipped in [at, at + 3] {
        file.write_all_at(&[bytes[flipped] ^ 4], u64::try_from(flipped).unwrap()).unwrap();
        let found = annals.find_blocking(id(3));
        let repeated = annals.append(&identified(3)).wait();
        for outcome in [found.map(|_| ()), repeated.map(|_| ())] {
            let AppendError::Read(ReadError::WrongImage { file, .. }) = outcome.unwrap_err() else {
                panic!("the image is not named");
            };
            assert_eq!(Path::new(&file), path);
        }
        file.write_all_at(&bytes[flipped..=flipped], u64::try_from(flipped).unwrap()).unwrap();
    }
    assert_eq!(annals.append(&identified(3)).wait().unwrap(), first);
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

//! One file of the log, open.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{
    error::{Corruption, Failure},
    format::{ALIGN, FRAMES_START, Header, Seed},
    map::Map,
    num::{to_u64, to_usize},
    storage::{self, File},
};

/// Where every so many bytes a frame begins: a search for a record starts at the last one before.
const WAYPOINT_BYTES: u64 = 2 << 10;

/// Of the waypoints of a segment that is long past, one of so many is kept.
const THINNED_OUT: usize = 32;

/// One file of the log, open for reading; the writer alone writes to it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) seed: Seed,
    /// Its path, for messages.
    pub(crate) path: String,
    /// `None` once nothing needs it: see [`Segment::release`].
    file: Mutex<Option<Arc<dyn File>>>,
    map: Option<Map>,
    /// Bytes before this offset are in the file, finished. Only rises.
    written: AtomicU64,
    /// Whether a larger one with the same number took its place while it was empty.
    replaced: AtomicBool,
    waypoints: RwLock<Vec<Waypoint>>,
    /// The next frame from this offset on gets a waypoint.
    next_waypoint: AtomicU64,
    /// Frames before this offset were checked, one after the other, since it was opened.
    checked_to: AtomicU64,
}

/// A frame's first record and offset.
#[derive(Debug, Clone, Copy)]
struct Waypoint {
    /// Counted from the segment's first.
    record: u32,
    /// In units of [`ALIGN`].
    offset: u32,
}

impl Segment {
    pub(crate) fn new(header: Header, path: String, file: Arc<dyn File>, map: Option<Map>) -> Self {
        Self {
            header,
            seed: header.seed(),
            path,
            file: Mutex::new(Some(file)),
            map,
            written: AtomicU64::new(0),
            replaced: AtomicBool::new(false),
            waypoints: RwLock::default(),
            next_waypoint: AtomicU64::new(0),
            checked_to: AtomicU64::new(FRAMES_START),
        }
    }

    /// The name of the file of a segment that begins with this record.
    pub(crate) fn name(first_record: u64) -> String {
        format!("{first_record:020}.seg")
    }

    /// The first record of the segment whose file has this name.
    pub(crate) fn parse_name(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".seg")?;
        let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number)
    }

    /// Bytes before this offset can be read.
    pub(crate) fn written(&self) -> u64 {
        // Acquire pairs with the Release in `publish`: who sees the offset can read up to it.
        self.written.load(Ordering::Acquire)
    }

    /// Says that the bytes before `end` are in the file and will not change any more.
    pub(crate) fn publish(&self, end: u64) {
        if let Some(map) = &self.map {
            map.stabilize(to_usize(end));
        }
        self.written.fetch_max(end, Ordering::Release);
    }

    /// Says that another segment has its number and its name from now on.
    pub(crate) fn replace(&self) {
        // Release pairs with the Acquire in `is_replaced`.
        self.replaced.store(true, Ordering::Release);
    }

    /// Whether another segment has its number now.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    /// The segment's file.
    ///
    /// # Errors
    /// It was released.
    pub(crate) fn file(&self) -> io::Result<Arc<dyn File>> {
        self.file.lock().clone().ok_or_else(|| io::Error::other("the file was closed"))
    }

    /// Closes the file of a sealed segment if it is mapped: a log may have more segments than a
    /// process may have files.
    pub(crate) fn release(&self) {
        if self.is_mapped() {
            drop(self.file.lock().take());
        }
    }

    /// Whether the file is mapped into memory.
    pub(crate) fn is_mapped(&self) -> bool {
        self.map.is_some()
    }

    /// The mapping, if it can be written to.
    pub(crate) fn writable_map(&self) -> Option<&Map> {
        self.map.as_ref().filter(|map| map.is_writable())
    }

    /// Makes ready to sync what was written through the mapping.
    pub(crate) fn withdraw(&self, range: Range<u64>) {
        if let Some(map) = &self.map {
            map.withdraw(to_usize(range.start)..to_usize(range.end));
        }
    }

    /// The bytes of the mapped file that are written.
    pub(crate) fn mapped(&self) -> Option<&[u8]> {
        self.map.as_ref().map(Map::bytes)
    }

    /// Reads `len` bytes from `offset` on into `out`, replacing what is there.
    pub(crate) fn read(&self, offset: u64, len: u64, out: &mut Vec<u8>) -> Result<(), Failure> {
        out.resize(to_usize(len), 0);
        let read = self.file().and_then(|file| storage::read_up_to(&*file, offset, out));
        // After an error nothing in it is from the file.
        out.truncate(*read.as_ref().unwrap_or(&0));
        read.map(drop).map_err(|error| self.failure("read", error))
    }

    /// Whether the frame at `offset` of the mapped file was checked. Only for the beginning of a
    /// frame.
    #[inline]
    pub(crate) fn is_checked(&self, offset: u64) -> bool {
        // Relaxed: who has the offset sees the bytes, having seen that they are written.
        offset < self.checked_to.load(Ordering::Relaxed)
    }

    /// Says that the frame from `offset` to `end` is what was written. Counts if all before were
    /// checked, too.
    #[inline]
    pub(crate) fn note_checked(&self, offset: u64, end: u64) {
        // Not in one step: of two who note, the slower one may take it back a little, which costs
        // another check.
        if self.checked_to.load(Ordering::Relaxed) == offset {
            self.checked_to.store(end, Ordering::Relaxed);
        }
    }

    /// Whether a frame that begins at `offset` is to be noted.
    pub(crate) fn is_due(&self, offset: u64) -> bool {
        // Relaxed: `note` looks again under the lock.
        offset >= self.next_waypoint.load(Ordering::Relaxed)
    }

    /// Notes where a frame lies, if the last note is far enough back.
    pub(crate) fn note(&self, record: u64, offset: u64) {
        if !self.is_due(offset) {
            return;
        }
        let record = u32::try_from(record.saturating_sub(self.header.first_record));
        let (Ok(record), Ok(offset_units)) = (record, u32::try_from(offset / ALIGN)) else {
            return;
        };
        let mut waypoints = self.waypoints.write();
        if self.is_due(offset) {
            waypoints.push(Waypoint { record, offset: offset_units });
            self.next_waypoint.store(offset + WAYPOINT_BYTES, Ordering::Relaxed);
        }
    }

    /// Keeps few waypoints: what is searched here is rather read from the beginning to the end.
    pub(crate) fn thin_out(&self) {
        let mut waypoints = self.waypoints.write();
        *waypoints = waypoints.iter().step_by(THINNED_OUT).copied().collect();
    }

    /// The offset of a frame at or before the one that has `record`.
    pub(crate) fn waypoint_before(&self, record: u64) -> u64 {
        let record = u32::try_from(record.saturating_sub(self.header.first_record));
        let record = record.unwrap_or(u32::MAX);
        let waypoints = self.waypoints.read();
        let found = search(&waypoints, record).checked_sub(1).and_then(|i| waypoints.get(i));
        found.map_or(FRAMES_START, |found| u64::from(found.offset) * ALIGN)
    }

    pub(crate) fn failure(&self, action: &'static str, error: io::Error) -> Failure {
        Failure { action, file: self.path.clone(), source: Arc::new(error) }
    }

    pub(crate) fn corruption(&self, offset: u64, first_record: u64, reason: &str) -> Corruption {
        let reason = reason.to_owned();
        Corruption { file: self.path.clone(), offset, first_record, readable_again: None, reason }
    }

    /// How many bytes the waypoints take in memory.
    pub(crate) fn waypoint_bytes(&self) -> u64 {
        to_u64(self.waypoints.read().capacity() * size_of::<Waypoint>())
    }
}

/// How many waypoints are at or before a record. Frames are of about the same size nearly
/// everywhere, so that a guess is close, and few lines of memory are touched.
fn search(waypoints: &[Waypoint], record: u32) -> usize {
    search_by(waypoints, record, |waypoint| waypoint.record <= record)
}

fn search_by(
    waypoints: &[Waypoint],
    record: u32,
    is_before: impl Fn(&Waypoint) -> bool + Copy,
) -> usize {
    let Some(last) = waypoints.last().filter(|last| !is_before(last)) else {
        return waypoints.len();
    };
    let share = u64::from(record) * to_u64(waypoints.len()) / u64::from(last.record.max(1));
    let guess = to_usize(share).min(waypoints.len());
    let (front, back) = waypoints.split_at(guess);
    let mut near = 4;
    if back.first().is_some_and(is_before) {
        while back.get(near).is_some_and(is_before) {
            near *= 4;
        }
        let back = back.get(..near).unwrap_or(back);
        return guess + back.partition_point(is_before);
    }
    while front.len().checked_sub(near).and_then(|i| front.get(i)).is_some_and(|w| !is_before(w)) {
        near *= 4;
    }
    let skipped = front.len().saturating_sub(near);
    skipped + front.get(skipped..).unwrap_or_default().partition_point(is_before)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;
    use crate::{memory::Memory, storage::Directory};

    fn segment() -> Segment {
        let file = Memory::default().create("a").unwrap();
        let header =
            Header { log_id: 3, segment: 1, first_record: 10, capacity: 1 << 20, chain: 0 };
        Segment::new(header, "a".to_owned(), file, None)
    }

    /// Too many waypoints fill the memory, too few make every search long.
    #[test]
    fn every_so_many_bytes_a_waypoint_is_noted() {
        let (segment, waypoint) = (segment(), to_u64(size_of::<Waypoint>()));
        assert_eq!(segment.waypoint_bytes(), 0);
        for (record, offset, is_due) in [
            (10, FRAMES_START, true),
            (11, FRAMES_START + 8, false),
            (12, FRAMES_START + WAYPOINT_BYTES - 8, false),
            (13, FRAMES_START + WAYPOINT_BYTES, true),
            (13, FRAMES_START + WAYPOINT_BYTES, false),
            (14, FRAMES_START + 2 * WAYPOINT_BYTES - 8, false),
            (15, FRAMES_START + 3 * WAYPOINT_BYTES + 8, true),
        ] {
            assert_eq!(segment.is_due(offset), is_due, "{offset}");
            let before = segment.waypoint_before(record);
            segment.note(record, offset);
            let after = if is_due { offset } else { before };
            assert_eq!(segment.waypoint_before(record), after);
        }
        assert_eq!(segment.waypoint_before(9), FRAMES_START, "a record before the first");
        assert_eq!(segment.waypoint_before(u64::MAX), FRAMES_START + 3 * WAYPOINT_BYTES + 8);
        // As a vector grows: room for four.
        assert_eq!(segment.waypoint_bytes(), 4 * waypoint);
        for n in 4..=THINNED_OUT + 1 {
            segment.note(10 + to_u64(n), FRAMES_START + to_u64(n + 1) * WAYPOINT_BYTES);
        }
        assert!(segment.waypoint_bytes() > to_u64(THINNED_OUT) * waypoint);
        segment.thin_out();
        assert!(segment.waypoint_bytes() <= 4 * waypoint, "two are left");
        assert_eq!(segment.waypoint_before(20), FRAMES_START);
        let last = FRAMES_START + to_u64(THINNED_OUT + 2) * WAYPOINT_BYTES;
        assert_eq!(segment.waypoint_before(u64::MAX), last);
    }

    /// Only what was checked from the beginning on, without a gap.
    #[test]
    fn frames_behind_one_that_was_not_checked_are_not_known() {
        let segment = segment();
        assert!(!segment.is_checked(FRAMES_START));
        segment.note_checked(FRAMES_START + 80, FRAMES_START + 160);
        assert!(!segment.is_checked(FRAMES_START) && !segment.is_checked(FRAMES_START + 80));
        segment.note_checked(FRAMES_START, FRAMES_START + 80);
        assert!(segment.is_checked(FRAMES_START));
        assert!(!segment.is_checked(FRAMES_START + 80), "it begins where what is checked ends");
    }

    /// How many waypoints a search looks at, at most.
    fn looks_max(len: u32, shape: fn(u32) -> u32) -> u32 {
        let waypoints: Vec<Waypoint> =
            (0..len).map(|n| Waypoint { record: shape(n), offset: n }).collect();
        let looks = Cell::new(0);
        let looks_for = |n| {
            let record = shape(n);
            looks.set(0);
            let found = search_by(&waypoints, record, |waypoint| {
                looks.set(looks.get() + 1);
                waypoint.record <= record
            });
            assert_eq!(found, to_usize(u64::from(n) + 1));
            looks.get()
        };
        (0..len).map(looks_for).max().unwrap()
    }

    /// The guess is next to it where frames are of the same size; elsewhere it goes there in steps that grow.
    #[test]
    fn few_waypoints_are_looked_at() {
        assert!(looks_max(10_000, |n| 7 * n) <= 6, "{}", looks_max(10_000, |n| 7 * n));
        let shapes: [fn(u32) -> u32; 3] =
            [|n| n * n, |n| if n < 9_000 { n } else { n * 1_000 }, |n| 1_000_000 + n];
        for shape in shapes {
            let most = looks_max(10_000, shape);
            assert!(most <= 2 * 14, "{most}");
        }
    }

    #[test]
    fn a_guess_is_as_good_as_a_search() {
        // The last two lead the guess astray, forward and backward.
        let shapes: [fn(u32) -> u32; 5] =
            [|n| n, |n| 7 * n, |n| n * n, |n| if n < 90 { n } else { n * 1000 }, |n| 1_000_000 + n];
        for shape in shapes {
            for len in 0..120 {
                let waypoints: Vec<Waypoint> =
                    (0..len).map(|n| Waypoint { record: shape(n), offset: n }).collect();
                let around = waypoints
                    .iter()
                    .flat_map(|w| [w.record, w.record + 1, w.record.saturating_sub(1)]);
                for record in around.chain([0, 1, u32::MAX]) {
                    let expected = waypoints.partition_point(|w| w.record <= record);
                    assert_eq!(search(&waypoints, record), expected, "{record} of {len}");
                }
            }
        }
    }
}

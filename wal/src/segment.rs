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
    format::{FRAMES_START, Header, Seed},
    map::Map,
    num::{to_u64, to_usize},
    storage::{self, File},
};

/// Where every so many bytes a frame begins: a search for a record starts at the last one before.
const WAYPOINT_BYTES: u64 = 8 << 10;

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
}

/// A frame's first record and offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waypoint {
    pub(crate) record: u64,
    pub(crate) offset: u64,
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

    /// Bytes of the mapped file, if they are written.
    pub(crate) fn mapped(&self, range: &Range<u64>) -> Option<&[u8]> {
        self.map.as_ref()?.get(to_usize(range.start)..to_usize(range.end))
    }

    /// Reads `len` bytes from `offset` on into `out`, replacing what is there.
    pub(crate) fn read(&self, offset: u64, len: u64, out: &mut Vec<u8>) -> Result<(), Failure> {
        out.resize(to_usize(len), 0);
        let read = self.file().and_then(|file| storage::read_up_to(&*file, offset, out));
        // After an error nothing in it is from the file.
        out.truncate(*read.as_ref().unwrap_or(&0));
        read.map(drop).map_err(|error| self.failure("read", error))
    }

    /// Notes where a frame lies, if the last note is far enough back.
    pub(crate) fn note(&self, record: u64, offset: u64) {
        // Relaxed: only a hint that saves the lock.
        if offset < self.next_waypoint.load(Ordering::Relaxed) {
            return;
        }
        let mut waypoints = self.waypoints.write();
        if waypoints.last().is_none_or(|last| offset >= last.offset + WAYPOINT_BYTES) {
            waypoints.push(Waypoint { record, offset });
            self.next_waypoint.store(offset + WAYPOINT_BYTES, Ordering::Relaxed);
        }
    }

    /// A frame at or before the one that has `record`.
    pub(crate) fn waypoint_before(&self, record: u64) -> Waypoint {
        let waypoints = self.waypoints.read();
        let after = waypoints.partition_point(|waypoint| waypoint.record <= record);
        let found = after.checked_sub(1).and_then(|index| waypoints.get(index)).copied();
        found.unwrap_or(Waypoint { record: self.header.first_record, offset: FRAMES_START })
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

//! Opening: which segments there are, where the log ends, and what to do with what lies behind.
//!
//! 1. Every header is read: the segments must be of one log, numbered without a hole.
//! 2. Every segment but the last must end with a seal. Its frames are replayed, unless the caller
//!    knows them already from a sidecar.
//! 3. The last segment is replayed to its end, and [`Scan::judge`] says what the end means. If it
//!    ends with a seal and a sidecar knows it, the one behind it is missing.
//! 4. What is not proven to be on disk is written again, what is torn is zeroed, and both are
//!    synced, before anything is built upon them: after a failed sync the page cache may show
//!    bytes, and names, that the disk does not have. A segment that nothing is proven of gets its
//!    name anew.
//!
//! Nothing is changed before step 4, and step 4 may be interrupted and repeated at any point.

use std::{io, sync::Arc};

use annals_planted::{Bug, planted};

use crate::{
    access::Access,
    error::OpenError,
    format::{FRAMES_START, FrameKind, HEAD_LEN, Head, Header},
    frame::FrameView,
    judge::{
        check_nothing_followed, check_sequence, corrupt, io_error, judge_last, judge_sealed,
        read_header,
    },
    naming::{self, SegmentName},
    num::to_usize,
    options::{LogOptions, ReadMode},
    prepare::{self, Preparer},
    scan::{End, Scan, SealedEnd},
    segment::Segment,
    storage::{self, Directory},
};

/// What the log's owner does with what is found at opening.
pub trait Replay {
    /// How the frames of a sealed segment end, if everything in it is known from a sidecar, which
    /// must not be made before the next segment is durable. `None`: its frames are replayed. Also
    /// asked of the last segment, whose frames are always replayed.
    fn sealed_end(&mut self, header: &Header) -> Option<SealedEnd>;

    /// The segment does end so: take what is known of it, in order.
    ///
    /// # Errors
    /// What is wrong with it; opening fails with this.
    fn sealed(&mut self, header: &Header) -> Result<(), String>;

    /// A commit, in order.
    ///
    /// # Errors
    /// What is wrong with it; opening fails with this.
    fn commit(&mut self, frame: &FrameView<'_>) -> Result<(), String>;
}

/// For who wants only the log: every frame is checked, and nothing is done with it.
impl Replay for () {
    fn sealed_end(&mut self, _: &Header) -> Option<SealedEnd> {
        None
    }

    fn sealed(&mut self, _: &Header) -> Result<(), String> {
        Ok(())
    }

    fn commit(&mut self, _: &FrameView<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// What was found behind the last whole frame and cut off: never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub file: String,
    /// Where the whole frames end, in bytes.
    pub offset: u64,
    /// How many bytes were zeroed.
    pub bytes: u64,
}

/// A log as it was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) end: EndState,
    pub(crate) torn: Option<TornTail>,
}

/// Where the log goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndState {
    pub(crate) offset: u64,
    pub(crate) next_record: u64,
    pub(crate) previous_len: u64,
    pub(crate) previous_kind: Option<FrameKind>,
    pub(crate) chain: u32,
}

pub(crate) struct Recovery<'a> {
    pub(crate) directory: &'a Arc<dyn Directory>,
    pub(crate) options: &'a LogOptions,
}

/// Refuses a directory that has files and no segment, before anything is put into it: not even
/// the lock's file.
pub(crate) fn refuse_foreign(directory: &dyn Directory) -> Result<(), OpenError> {
    let names = directory.names().map_err(io_error("list", directory.display("")))?;
    let foreign = names.iter().find(|name| !name.ends_with(prepare::SUFFIX));
    match foreign {
        Some(found) if naming::segments(&names).is_empty() => {
            let (directory, found) = (directory.display(""), found.clone());
            Err(OpenError::NotALog { directory, found })
        }
        _ => Ok(()),
    }
}

impl Recovery<'_> {
    /// Opens what is there, or makes a new log.
    pub(crate) fn run(&self, replay: &mut dyn Replay) -> Result<Recovered, OpenError> {
        let names = self.directory.names().map_err(self.failed("list", ""))?;
        let found = naming::segments(&names);
        let recovered = self.open_all(&found, replay)?;
        // Only now: nothing is changed in a log that cannot be opened.
        for name in names.iter().filter(|name| name.ends_with(prepare::SUFFIX)) {
            storage::remove_if_there(&**self.directory, name)
                .map_err(self.failed("remove", name))?;
        }
        recovered.map_or_else(|| self.create(), Ok)
    }

    fn failed<'n>(
        &'n self,
        action: &'static str,
        name: &'n str,
    ) -> impl FnOnce(io::Error) -> OpenError + 'n {
        move |source| io_error(action, self.directory.display(name))(source)
    }

    fn create(&self) -> Result<Recovered, OpenError> {
        let log_id = self.options.environment.random().map_err(self.failed("name", ""))?;
        let capacity = self.options.capacity(1);
        let header = Header { log_id, segment: 1, first_record: 1, capacity, chain: 0 };
        let name = Segment::name(1);
        let temporary = format!("{name}{}", prepare::SUFFIX);
        let mut page = vec![0; to_usize(FRAMES_START)];
        header.encode(&mut page);
        let prepared = Preparer::new(self.directory.clone(), self.options)
            .make(&temporary, capacity)
            .map_err(self.failed("prepare", &temporary))?;
        let write = || {
            storage::write_all(&*prepared.file, 0, &page)?;
            prepared.file.sync_data()?;
            self.directory.rename(&temporary, &name)?;
            self.directory.sync()
        };
        write().map_err(self.failed("create", &name))?;
        let path = self.directory.display(&name);
        let segment = Segment::new(header, path, prepared.file, prepared.map);
        segment.publish(FRAMES_START);
        let end = EndState {
            offset: FRAMES_START,
            next_record: 1,
            previous_len: 0,
            previous_kind: None,
            chain: Header::checksum(&page),
        };
        Ok(Recovered { segments: vec![Arc::new(segment)], end, torn: None })
    }

    /// Opens the segments; `None`: there are none.
    fn open_all(
        &self,
        found: &[SegmentName],
        replay: &mut dyn Replay,
    ) -> Result<Option<Recovered>, OpenError> {
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(found.len());
        for name in found {
            let is_last = Some(name) == found.last();
            let access = if is_last { Access::Write } else { Access::Read };
            let segment = self.open_segment(name, access)?;
            check_sequence(segments.last().map(|s| &s.header), &segment)?;
            if let Some(before) = segments.last() {
                recover_sealed(before, &segment.header, replay)?;
                before.release();
            }
            segments.push(Arc::new(segment));
        }
        let Some(last) = segments.last() else { return Ok(None) };
        let (end, garbage) = self.recover_last(last, found, replay)?;
        // All have their names now.
        for segment in segments.iter_mut().filter_map(Arc::get_mut) {
            segment.path = self.directory.display(&Segment::name(segment.header.first_record));
        }
        let file = segments.last().map(|last| last.path.clone()).unwrap_or_default();
        let torn = (garbage > 0).then_some(TornTail { file, offset: end.offset, bytes: garbage });
        Ok(Some(Recovered { segments, end, torn }))
    }

    /// Opens a segment, whose header must be whole and whose size must be what the header says.
    fn open_segment(&self, found: &SegmentName, access: Access) -> Result<Segment, OpenError> {
        let SegmentName { first_record, name } = found;
        let file = self.directory.open(name, access).map_err(self.failed("open", name))?;
        let path = self.directory.display(name);
        let header = read_header(&*file, path.clone(), *first_record)?;
        let map = match self.options.read_mode {
            ReadMode::Map | ReadMode::MapCheckedOnce => {
                let access = match access {
                    Access::Write => self.options.map_access(),
                    Access::Read => Access::Read,
                };
                file.map(header.capacity, access).map_err(self.failed("map", name))?
            }
            ReadMode::Pread => None,
        };
        Ok(Segment::new(header, path, file, map))
    }

    /// Returns where the log goes on, and how many bytes of a torn tail were behind.
    fn recover_last(
        &self,
        segment: &Segment,
        found: &[SegmentName],
        replay: &mut dyn Replay,
    ) -> Result<(EndState, u64), OpenError> {
        let bytes = read_whole(segment)?;
        let mut scan = Scan::new(&bytes, &segment.header);
        // Asked before the replay, after which everything in it is known anyway.
        let known_end = replay.sealed_end(&segment.header);
        let end = replay_frames(segment, &mut scan, replay)?;
        let garbage = judge_last(segment, &scan, end)?;
        check_nothing_followed(segment, &scan, end, known_end)?;
        // Also after a clean close: its mark may stand in the page cache only.
        self.settle(segment, &scan, &bytes, garbage, found)?;
        segment.publish(scan.offset);
        let end = EndState {
            offset: scan.offset,
            next_record: scan.next_record,
            previous_len: scan.previous_len,
            previous_kind: scan.previous_kind,
            chain: scan.chain,
        };
        Ok((end, garbage))
    }

    /// Makes what was found durable: writes again what is not proven to be on disk, zeroes what
    /// is torn, syncs both, and the names.
    fn settle(
        &self,
        segment: &Segment,
        scan: &Scan<'_>,
        bytes: &[u8],
        garbage: u64,
        found: &[SegmentName],
    ) -> Result<(), OpenError> {
        let slice =
            |from: u64, to: u64| bytes.get(to_usize(from)..to_usize(to)).unwrap_or_default();
        let zeroes = vec![0; to_usize(garbage)];
        let unproven = slice(scan.durable, scan.offset);
        let write = || {
            let file = segment.file()?;
            if !planted(Bug::TrustsPageCache) {
                storage::write_all(&*file, scan.durable, unproven)?;
            }
            storage::write_all(&*file, scan.offset, &zeroes)?;
            if !planted(Bug::SettledWithoutSync) {
                storage::sync_data(&*file)?;
            }
            // Where nothing in it proves so, its name may never have been durable.
            self.rename(found, scan.durable == 0 && !planted(Bug::NameNotRenewed))?;
            self.directory.sync()
        };
        write().map_err(io_error("settle", segment.path.clone()))
    }

    /// Gives the last segment its name, and any other whose renewal was interrupted. `anew`: also
    /// if it has it. After a failed sync of the directory a later one may succeed without having
    /// written the names of before; a new change of the name is written.
    fn rename(&self, found: &[SegmentName], anew: bool) -> io::Result<()> {
        for (index, SegmentName { first_record, name }) in found.iter().enumerate() {
            let original = Segment::name(*first_record);
            if *name != original {
                self.directory.rename(name, &original)?;
            } else if anew && index + 1 == found.len() {
                let moved = naming::moved(name);
                self.directory.rename(name, &moved)?;
                self.directory.rename(&moved, name)?;
            }
        }
        Ok(())
    }
}

fn recover_sealed(
    segment: &Segment,
    next: &Header,
    replay: &mut dyn Replay,
) -> Result<(), OpenError> {
    if let Some(end) = replay.sealed_end(&segment.header)
        && is_sealed_at(segment, end, next)?
    {
        segment.publish(end.offset);
        return replay.sealed(&segment.header).map_err(|reason| corrupt(segment, 0, &reason));
    }
    let bytes = read_whole(segment)?;
    let mut scan = Scan::new(&bytes, &segment.header);
    let end = replay_frames(segment, &mut scan, replay)?;
    judge_sealed(segment, &scan, end, Some(next))?;
    segment.publish(scan.offset);
    Ok(())
}

/// Whether this seal ends there, and the next segment continues it.
fn is_sealed_at(segment: &Segment, end: SealedEnd, next: &Header) -> Result<bool, OpenError> {
    let Some(offset) = end.offset.checked_sub(HEAD_LEN) else { return Ok(false) };
    let mut bytes = vec![0; to_usize(HEAD_LEN)];
    let read = segment.file().and_then(|file| storage::read_up_to(&*file, offset, &mut bytes));
    let count = read.map_err(io_error("read", segment.path.clone()))?;
    let head = Head::decode(segment.seed, offset, bytes.get(..count).unwrap_or_default());
    Ok(head.is_ok_and(|head| {
        head.kind == FrameKind::Seal
            && head.checksum == next.chain
            && (head.checksum == end.seal || planted(Bug::ImageOfAnotherLife))
            && head.first_record == next.first_record
    }))
}

/// Replays frames until they end; says how.
fn replay_frames(
    segment: &Segment,
    scan: &mut Scan<'_>,
    replay: &mut dyn Replay,
) -> Result<End, OpenError> {
    loop {
        let frame = match scan.next() {
            Ok(frame) => frame,
            Err(end) => return Ok(end),
        };
        let FrameView { address, head, .. } = frame;
        segment.note(head.first_record, address.offset);
        segment.note_checked(address.offset, address.offset + head.frame_len());
        if frame.head.kind == FrameKind::Commit {
            replay.commit(&frame).map_err(|reason| {
                OpenError::Corrupt(segment.corruption(address.offset, head.first_record, &reason))
            })?;
        }
    }
}

fn read_whole(segment: &Segment) -> Result<Vec<u8>, OpenError> {
    let bytes = segment.file().and_then(|file| storage::read_whole(&*file));
    bytes.map_err(io_error("read", segment.path.clone()))
}

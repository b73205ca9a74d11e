//! Restoring flipped bits of a log that is not open, where it is proven that something durable was
//! damaged: in segments that others follow, and in the last one before what a later frame says
//! was durable. What opening takes for a torn tail is left to it.
//!
//! 1. [`find_repairs`] walks over every segment. Where its frames end and opening would refuse it,
//!    the one bit is looked for that explains it ([`crate::mend`]); it is flipped in memory, and
//!    the walk goes on.
//! 2. What was found can be looked at through [`crate::Mended`] as if it were written.
//! 3. [`write_repairs`] copies what is damaged beside it, durably, then flips the bits.
//!
//! A frame whose one checksum is wrong can be told from one with a flipped bit only by chance: other
//! damage looks like a flipped bit in about as many cases of 2^32 as the frame has bits. So bodies
//! above [`mend::BODY_BYTES_MAX`] are left alone, and a bit is not taken unless the body then
//! decodes and the frames before and behind agree.

use std::{io, ops::Range, sync::Arc};

use crate::{
    access::Access,
    error::OpenError,
    format::{FRAMES_START, FrameKind, Header, SEGMENT_BYTES_MAX},
    frame::FrameView,
    inspect::{Successor, end_of},
    judge::{check_header, io_error, judge_last, judge_sealed},
    mend::{self, Bit},
    naming::{self, SegmentName},
    num::to_usize,
    scan::{End, Scan},
    segment::Segment,
    sidecar::Sidecar,
    storage::{self, Directory, File},
};

/// What a flipped bit lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The header's page.
    Header,
    /// A frame's head or stamps.
    Head,
    /// A frame's body.
    Body,
    /// What is behind the seal.
    Behind,
}

/// A flipped bit, and what it damages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The name of the file.
    pub name: String,
    /// Its path, for messages.
    pub path: String,
    /// What the bit lies in.
    pub part: Part,
    /// The bit.
    pub bit: Bit,
    /// The byte as it was found.
    pub found: u8,
    /// What is damaged: the frame, in bytes of the file.
    pub region: Range<u64>,
    /// The first record of the frame, or behind it.
    pub first_record: u64,
    /// The record after its last.
    pub next_record: u64,
}

/// Whether the body of a commit makes sense: its segment's header, the frame.
type IsSane<'a> = &'a dyn Fn(&Header, &FrameView<'_>) -> bool;

/// A segment's file.
struct Patient {
    name: SegmentName,
    path: String,
    file: Arc<dyn File>,
    size: u64,
    /// Its header, if it is right, or one bit makes it right.
    header: Option<Header>,
    repairs: Vec<Repair>,
}

/// Finds the flipped bits of a log. `is_sane` says whether the body of a commit makes sense. What
/// cannot be put right is not among them: look at what is left with [`crate::Mended`].
///
/// # Errors
/// A file cannot be read.
pub fn find_repairs(
    directory: &dyn Directory,
    is_sane: &dyn Fn(&Header, &FrameView<'_>) -> bool,
) -> Result<Vec<Repair>, OpenError> {
    let names = directory.names().map_err(io_error("list", directory.display("")))?;
    let names = naming::segments(&names).into_iter();
    let mut patients: Vec<Patient> =
        names.map(|name| Patient::look(directory, name)).collect::<Result<_, _>>()?;
    let headers: Vec<Option<Header>> = patients.iter().map(|patient| patient.header).collect();
    for (index, patient) in patients.iter_mut().enumerate() {
        let next = match headers.get(index + 1) {
            None => Successor::None,
            Some(None) => Successor::Unknown,
            Some(Some(header)) => Successor::Segment(header),
        };
        if let Some(header) = patient.header {
            patient.walk(&header, next, is_sane)?;
        }
    }
    Ok(patients.into_iter().flat_map(|patient| patient.repairs).collect())
}

impl Patient {
    fn look(directory: &dyn Directory, name: SegmentName) -> Result<Self, OpenError> {
        let path = directory.display(&name.name);
        let file = directory.open(&name.name, Access::Read);
        let file = file.map_err(io_error("open", path.clone()))?;
        let size = file.size().map_err(io_error("measure", path.clone()))?;
        let mut patient = Self { name, path, file, size, header: None, repairs: Vec::new() };
        let mut page = vec![0; to_usize(FRAMES_START.min(size))];
        let read = storage::read_up_to(&*patient.file, 0, &mut page);
        read.map_err(io_error("read", patient.path.clone()))?;
        match Header::decode(&page) {
            Ok(header) => patient.header = Some(header).filter(|header| patient.fits(header)),
            Err(_) => patient.mend_header()?,
        }
        Ok(patient)
    }

    fn fits(&self, header: &Header) -> bool {
        check_header(header, self.size, String::new(), self.name.first_record).is_ok()
    }

    fn mend_header(&mut self) -> Result<(), OpenError> {
        let mut bytes = self.read()?;
        let Some(bit) = mend::header_bit(&mut bytes, |header| self.fits(header)) else {
            return Ok(());
        };
        let first = self.name.first_record;
        self.take(Part::Header, bit, 0..FRAMES_START, first..first, &mut bytes);
        self.header =
            bytes.get(..to_usize(FRAMES_START)).and_then(|page| Header::decode(page).ok());
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>, OpenError> {
        let bytes = storage::read_front(&*self.file, self.size.min(SEGMENT_BYTES_MAX));
        bytes.map_err(io_error("read", self.path.clone()))
    }

    /// Notes a repair, and makes it in memory.
    fn take(
        &mut self,
        part: Part,
        bit: Bit,
        region: Range<u64>,
        records: Range<u64>,
        bytes: &mut [u8],
    ) {
        self.repairs.push(Repair {
            name: self.name.name.clone(),
            path: self.path.clone(),
            part,
            bit,
            found: bytes.get(to_usize(bit.offset)).copied().unwrap_or_default(),
            region,
            first_record: records.start,
            next_record: records.end,
        });
        bit.flip(bytes);
    }

    /// Walks over the frames, and mends them one after the other.
    fn walk(
        &mut self,
        header: &Header,
        next: Successor<'_>,
        is_sane: IsSane<'_>,
    ) -> Result<(), OpenError> {
        let mut bytes = self.read()?;
        for repair in &self.repairs {
            repair.bit.flip(&mut bytes);
        }
        let segment = Segment::new(*header, self.path.clone(), self.file.clone(), None);
        let is_right = |frame: &FrameView<'_>| match (frame.head.kind, next) {
            (FrameKind::Commit, _) => is_sane(header, frame),
            (FrameKind::Seal, Successor::Segment(next)) => {
                (next.chain, next.first_record) == (frame.head.checksum, frame.head.first_record)
            }
            (FrameKind::Seal | FrameKind::Close, _) => true,
        };
        let mut place = Scan::new(&bytes, header).over(&[]);
        loop {
            let mut scan = place.over(&bytes);
            let end = end_of(&mut scan);
            let judged = match next {
                Successor::None => judge_last(&segment, &scan, end).map(drop),
                Successor::Segment(next) => judge_sealed(&segment, &scan, end, Some(next)),
                Successor::Unknown => judge_sealed(&segment, &scan, end, None),
            };
            place = scan.over(&[]);
            if judged.is_ok() && !matches!(next, Successor::None) {
                self.mend_behind(&place, &mut bytes);
            }
            if judged.is_ok() || !matches!(end, End::Invalid(_)) {
                return Ok(());
            }
            let Some(bit) = mend::frame_bit(&place, &mut bytes, &is_right) else { return Ok(()) };
            self.take_in_frame(&place, bit, &mut bytes);
        }
    }

    fn take_in_frame(&mut self, place: &Scan<'_>, bit: Bit, bytes: &mut [u8]) {
        bit.flip(bytes);
        let head = place.over(bytes).head();
        bit.flip(bytes);
        let Some(head) = head else { return };
        let region = place.offset..place.offset + head.frame_len();
        let is_head = bit.offset < place.offset + head.stamped_len();
        let part = if is_head { Part::Head } else { Part::Body };
        self.take(part, bit, region, head.first_record..head.next_record(), bytes);
    }

    /// Mends what is behind the seal of a segment that others follow.
    fn mend_behind(&mut self, place: &Scan<'_>, bytes: &mut [u8]) {
        if let Some(bit) = mend::stray_bit(place.offset, bytes) {
            let next = place.next_record;
            self.take(Part::Behind, bit, bit.offset..bit.offset + 1, next..next, bytes);
        }
    }
}

/// Makes repairs: first a copy of every frame that is damaged is put beside it, durably, in a file
/// that is named after the segment, the byte where the copy begins, a number, and `.damaged`; then
/// the bits are flipped, each by writing one byte. A crash at any call leaves every byte as it was
/// found or as it should be, and the repair can be made again. The caller holds the writer's lock,
/// from before the repairs were found.
///
/// # Errors
/// A file cannot be read or written, or is not as it was when the repairs were found.
pub fn write_repairs(directory: &dyn Directory, repairs: &[Repair]) -> Result<(), OpenError> {
    for repair in repairs {
        keep_copy(directory, repair)
            .map_err(io_error("keep a copy of what is damaged in", repair.path.clone()))?;
    }
    directory.sync().map_err(io_error("sync", directory.display("")))?;
    for repair in repairs {
        restore(directory, repair).map_err(io_error("repair", repair.path.clone()))?;
    }
    Ok(())
}

/// Copies of one place that are kept at most: each of an earlier damage.
const COPIES_MAX: u32 = 1000;

fn keep_copy(directory: &dyn Directory, repair: &Repair) -> io::Result<()> {
    let Range { start, end } = repair.region;
    let file = directory.open(&repair.name, Access::Read)?;
    let mut damaged = vec![0; to_usize(end - start)];
    let len = storage::read_up_to(&*file, start, &mut damaged)?;
    damaged.truncate(len);
    for number in 1..=COPIES_MAX {
        let name = format!("{}.{start}.{number}.damaged", repair.name);
        let kept = match directory.open(&name, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Sidecar::write(directory, &name, &damaged);
            }
            copy => storage::read_front(&*copy?, end - start + 1)?,
        };
        // Of a repair that was interrupted, unless it is of another damage and stays.
        if kept == damaged {
            return Ok(());
        }
    }
    Err(io::Error::other("there are too many copies of earlier damage beside it"))
}

fn restore(directory: &dyn Directory, repair: &Repair) -> io::Result<()> {
    let file = directory.open(&repair.name, Access::Write)?;
    let offset = repair.bit.offset;
    let byte = || -> io::Result<u8> {
        let mut byte = [0];
        storage::read_up_to(&*file, offset, &mut byte)?;
        Ok(u8::from_le_bytes(byte))
    };
    let (found, right) = (byte()?, repair.found ^ repair.bit.mask);
    if found != repair.found && found != right {
        return Err(io::Error::other("it was changed meanwhile"));
    }
    storage::write_all(&*file, offset, &[right])?;
    file.sync_data()?;
    if byte()? != right {
        return Err(io::Error::other("what was written is not what is read"));
    }
    Ok(())
}

//! What opening makes of a segment: of its header, its place among the others, the end of its
//! frames. Opening for writing and looking without opening judge alike, by these.

use annals_planted::{Bug, planted};

use crate::{
    error::{Corruption, OpenError},
    format::{FORMAT_VERSION, FRAMES_START, Header, HeaderFault, SEGMENT_BYTES_MAX},
    num::to_usize,
    scan::{End, Scan, SealedEnd, Verdict},
    segment::Segment,
    storage,
};

/// A failed call as an error of opening.
pub(crate) fn io_error(
    action: &'static str,
    file: String,
) -> impl FnOnce(std::io::Error) -> OpenError {
    move |source| OpenError::Io { action, file, source }
}

/// Reads and checks the header of the segment that must begin with `first_record`.
pub(crate) fn read_header(
    file: &dyn storage::File,
    path: String,
    first_record: u64,
) -> Result<Header, OpenError> {
    let header = decode_header(file, &path, first_record)?;
    let size = file.size().map_err(io_error("measure", path.clone()))?;
    check_header(&header, size, path, first_record)?;
    Ok(header)
}

/// Reads the header of the segment that must begin with `first_record`, whatever it says.
pub(crate) fn decode_header(
    file: &dyn storage::File,
    path: &str,
    first_record: u64,
) -> Result<Header, OpenError> {
    let corrupt = |reason| Err(corrupt_header(path.to_owned(), first_record, reason));
    let mut page = vec![0; to_usize(FRAMES_START)];
    let count =
        storage::read_up_to(file, 0, &mut page).map_err(io_error("read", path.to_owned()))?;
    if count < page.len() {
        return corrupt(format!("it has {count} bytes, too few for a header"));
    }
    match Header::decode(&page) {
        Ok(header) => Ok(header),
        Err(HeaderFault::NoSegment) => corrupt("it does not begin as a segment does".to_owned()),
        Err(HeaderFault::Newer { version: found }) => {
            Err(OpenError::Newer { file: path.to_owned(), found, known: FORMAT_VERSION })
        }
        Err(HeaderFault::Damaged(reason)) => corrupt(reason.to_owned()),
    }
}

/// Whether a header fits the file that it stands in: its name and its size.
pub(crate) fn check_header(
    header: &Header,
    size: u64,
    path: String,
    first_record: u64,
) -> Result<(), OpenError> {
    if header.first_record != first_record {
        let reason = format!("its header says that it begins with {}", header.first_record);
        return Err(corrupt_header(path, first_record, reason));
    }
    if header.capacity > SEGMENT_BYTES_MAX {
        let reason = format!("its header says that it has {} bytes", header.capacity);
        return Err(corrupt_header(path, first_record, reason));
    }
    if size != header.capacity {
        let reason = format!("it has {size} bytes where its header says {}", header.capacity);
        return Err(corrupt_header(path, first_record, reason));
    }
    Ok(())
}

fn corrupt_header(file: String, first_record: u64, reason: String) -> OpenError {
    let (offset, readable_again) = (0, None);
    OpenError::Corrupt(Corruption { file, offset, first_record, readable_again, reason })
}

/// Damage of a whole segment.
pub(crate) fn corrupt(segment: &Segment, offset: u64, reason: &str) -> OpenError {
    OpenError::Corrupt(segment.corruption(offset, segment.header.first_record, reason))
}

/// Damage in a segment that others follow.
fn broken(segment: &Segment, scan: &Scan<'_>, next: Option<&Header>, reason: &str) -> OpenError {
    let corruption = segment.corruption(scan.offset, scan.next_record, reason);
    let readable_again = next.map(|next| next.first_record);
    OpenError::Corrupt(Corruption { readable_again, ..corruption })
}

fn newer(segment: &Segment) -> OpenError {
    OpenError::Newer { file: segment.path.clone(), found: FORMAT_VERSION, known: FORMAT_VERSION }
}

/// Whether a segment is the one that comes after `before`; the log's first, if there is none.
pub(crate) fn check_sequence(before: Option<&Header>, segment: &Segment) -> Result<(), OpenError> {
    let header = &segment.header;
    let number = before.map_or(1, |before| before.segment.saturating_add(1));
    if before.is_none() && header.segment == 1 && (header.first_record, header.chain) != (1, 0) {
        return Err(corrupt(segment, 0, "the first segment does not begin the log"));
    }
    if before.is_some_and(|before| before.log_id != header.log_id) {
        return Err(corrupt(segment, 0, "it belongs to another log"));
    }
    if header.segment > number {
        let before = segment.path.clone();
        return Err(OpenError::MissingSegment { segment: number, before });
    }
    if header.segment < number {
        return Err(corrupt(segment, 0, "its number is out of order"));
    }
    Ok(())
}

/// What the end of the frames means in a segment that others follow: it must be a seal, and the
/// next segment, where its header is known, must continue it.
pub(crate) fn judge_sealed(
    segment: &Segment,
    scan: &Scan<'_>,
    end: End,
    next: Option<&Header>,
) -> Result<(), OpenError> {
    if planted(Bug::SealIgnored) {
        return Ok(());
    }
    match end {
        End::Sealed => {}
        End::Newer => return Err(newer(segment)),
        End::Blank => {
            return Err(broken(segment, scan, next, "the log goes on without a seal"));
        }
        End::Invalid(reason) | End::Disordered(reason) => {
            return Err(broken(segment, scan, next, reason));
        }
    }
    let continues =
        |next: &Header| scan.next_record == next.first_record && scan.chain == next.chain;
    if next.is_some_and(|next| !continues(next)) {
        return Err(broken(segment, scan, next, "the next segment does not continue it"));
    }
    Ok(())
}

/// Whether the last segment was the last. One that ends with a seal need not be: the seal is
/// written before the next segment has its name, and a crash may come in between. But a sidecar
/// that says where a segment ends is made only when the next one is durable.
pub(crate) fn check_nothing_followed(
    segment: &Segment,
    scan: &Scan<'_>,
    end: End,
    known_end: Option<SealedEnd>,
) -> Result<(), OpenError> {
    let found = SealedEnd { offset: scan.offset, seal: scan.chain };
    let is_known = end == End::Sealed && known_end == Some(found);
    if is_known && !planted(Bug::MissingEndIgnored) {
        let before = segment.path.clone();
        let segment = segment.header.segment.saturating_add(1);
        return Err(OpenError::MissingEnd { segment, before });
    }
    Ok(())
}

/// What the end of the frames means in the last segment: how many bytes of a torn tail follow.
pub(crate) fn judge_last(segment: &Segment, scan: &Scan<'_>, end: End) -> Result<u64, OpenError> {
    match scan.judge(end) {
        Verdict::Clean => Ok(0),
        Verdict::Torn { bytes } => Ok(bytes),
        Verdict::Newer => Err(newer(segment)),
        Verdict::Corrupt { reason, readable_again } => {
            let corruption = segment.corruption(scan.offset, scan.next_record, reason);
            Err(OpenError::Corrupt(Corruption { readable_again, ..corruption }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_fits_a_file_of_its_size_up_to_the_largest() {
        let fits = |capacity, size| {
            let header = Header { log_id: 1, segment: 1, first_record: 1, capacity, chain: 0 };
            check_header(&header, size, String::new(), 1).is_ok()
        };
        assert!(fits(SEGMENT_BYTES_MAX, SEGMENT_BYTES_MAX));
        assert!(!fits(SEGMENT_BYTES_MAX + 8, SEGMENT_BYTES_MAX + 8));
        assert!(!fits(SEGMENT_BYTES_MAX, SEGMENT_BYTES_MAX - 8));
    }
}

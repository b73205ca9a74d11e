//! The frames of one segment, as `log-dump` and opening see them, against the naive decoder.

use std::collections::BTreeMap;

use annals_wal::{Ending, FrameKind, FrameView, Header, OpenError, Successor, list_segments};

use crate::{
    archive::segment_header,
    memory::capped,
    naive::{self, Frame, Frames, Verdict, number},
    plain::Plain,
};

/// A segment with these bytes behind its header, and nothing of which is left out.
pub(crate) fn segment(input: &[u8]) -> Vec<u8> {
    let pages = 1 + input.len().div_ceil(4096).clamp(1, 254);
    let mut bytes = segment_header(u8::try_from(pages).unwrap());
    bytes.resize(4096, 0);
    bytes.extend_from_slice(input);
    bytes.resize(pages * 4096, 0);
    bytes
}

/// The input is what stands behind the header of the first segment.
pub fn frame(input: &[u8]) {
    let bytes = segment(input);
    let header = naive::header(&bytes).unwrap();
    let expected = naive::frames(&bytes, &header);
    let name = format!("{:020}.seg", 1);
    let directory = Plain::from(&BTreeMap::from([(name, bytes.clone())]));
    // The whole segment is read at once; nothing else is kept.
    capped(bytes.len(), 2, || {
        let files = list_segments(&directory).unwrap();
        assert!(files[0].fault.is_none(), "{:?}", files[0].fault);
        let read = files[0].read(&directory).unwrap();
        let mut frames = read.frames();
        for expected in &expected.all {
            let found = frames.next().expect("a frame is missing");
            assert_is_same(&found, expected, &bytes);
        }
        assert!(frames.next().is_none(), "more frames than there are");
        check_last(&expected, frames.ending(Successor::None));
        let next = next_header(read.header(), &expected);
        let ending = read.frames().ending(Successor::Segment(&next));
        assert_eq!(ending.is_ok(), expected.is_sealed, "{ending:?}");
        let other = Header { chain: next.chain ^ 1, ..next };
        assert!(read.frames().ending(Successor::Segment(&other)).is_err());
    });
}

fn next_header(header: &Header, frames: &Frames) -> Header {
    Header { segment: 2, first_record: frames.next, chain: frames.chain, ..*header }
}

fn assert_is_same(found: &FrameView<'_>, expected: &Frame, bytes: &[u8]) {
    let kind = match found.head.kind {
        FrameKind::Commit => naive::FrameKind::Commit,
        FrameKind::Seal => naive::FrameKind::Seal,
        FrameKind::Close => naive::FrameKind::Close,
    };
    let stamps: Vec<u64> = found.stamps.chunks(8).map(|stamp| number(stamp, 0..8)).collect();
    let start = usize::try_from(found.address.offset).unwrap();
    let frame = Frame {
        bytes: start..start + usize::try_from(found.head.frame_len()).unwrap(),
        kind,
        first: found.head.first_record,
        count: found.head.record_count,
        time: found.head.time,
        chain: found.head.chain,
        previous_len: found.head.previous_len,
        durable: found.head.durable,
        checksum: found.head.checksum,
        stamps,
        body: expected.body.clone(),
    };
    assert_eq!(frame, *expected);
    assert_eq!(found.body, &bytes[expected.body.clone()]);
}

/// Whether the end of the frames is judged as it should be, if the segment is the last.
fn check_last(expected: &Frames, ending: Result<Ending, OpenError>) {
    let found = match ending {
        Ok(Ending::Sealed { stray_bytes }) => {
            assert!(expected.is_sealed && stray_bytes == 0);
            Verdict::Clean
        }
        Ok(Ending::Blank { is_closed }) => {
            let last = expected.all.last().map(|frame| frame.kind);
            assert_eq!(is_closed, last == Some(naive::FrameKind::Close));
            Verdict::Clean
        }
        Ok(Ending::Torn(torn)) => {
            assert_eq!(usize::try_from(torn.offset), Ok(expected.end));
            Verdict::Torn
        }
        Err(OpenError::Corrupt(corruption)) => {
            assert_eq!(usize::try_from(corruption.offset), Ok(expected.end));
            assert_eq!(corruption.first_record, expected.next);
            if corruption.reason.contains("too many places") {
                // Refused without an answer, for bytes made on purpose.
                return;
            }
            Verdict::Corrupt
        }
        Err(OpenError::Newer { .. }) => Verdict::Newer,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(found, expected.verdict);
}

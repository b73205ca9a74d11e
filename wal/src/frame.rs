//! A frame as it lies in the log.

use annals_planted::{Bug, planted};

use crate::{
    address::Address,
    format::{self, Head, Seed},
    num::to_usize,
};

/// A frame, borrowed from where it lies.
#[derive(Debug, Clone, Copy)]
pub struct FrameView<'a> {
    /// Where it begins.
    pub address: Address,
    /// What its head says.
    pub head: Head,
    /// Numbers that were only known when the frame was put in order: 8 bytes each,
    /// little-endian.
    pub stamps: &'a [u8],
    /// Its records, as the writer encoded them.
    pub body: &'a [u8],
}

impl<'a> FrameView<'a> {
    /// Splits a frame's bytes, which begin with its head. `None` if they are too short.
    #[expect(clippy::inline_always, reason = "copying heads costs more than checking them")]
    #[inline(always)]
    pub(crate) fn split(address: Address, head: Head, bytes: &'a [u8]) -> Option<Self> {
        let stamped = bytes.get(..to_usize(head.stamped_len()))?;
        let stamps = stamped.get(to_usize(format::HEAD_LEN)..)?;
        let body = bytes.get(to_usize(head.stamped_len())..to_usize(head.frame_len()))?;
        Some(Self { address, head, stamps, body })
    }

    /// Whether the frame is what was written in its place. `bytes` begin with it.
    #[inline]
    pub(crate) fn is_intact(&self, seed: Seed, bytes: &[u8]) -> bool {
        self.head.is_intact(seed, self.address.offset, bytes) && self.is_body_intact()
    }

    /// Whether the body is what the head's checksum says.
    #[inline]
    pub(crate) fn is_body_intact(&self) -> bool {
        format::body_checksum(self.body) == self.head.body_checksum
            || planted(Bug::BodyChecksumIgnored)
    }
}

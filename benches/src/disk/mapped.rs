//! Writes through a shared mapping.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::{fs::File, io};

use memmap2::MmapMut;

use crate::{disk::way::Way, number::wide};

/// Copies into a shared mapping, and syncs the range.
pub(crate) struct Mapped {
    map: MmapMut,
    payload: Vec<u8>,
}

impl Mapped {
    pub(crate) fn new(file: &File, payload: Vec<u8>) -> io::Result<Self> {
        // SAFETY: the file is in this program's scratch directory, and whoever measures with it
        // neither shortens it nor changes it in another way while it is mapped.
        let map = unsafe { MmapMut::map_mut(file) }?;
        Ok(Self { map, payload })
    }
}

impl Way for Mapped {
    fn step(&self) -> u64 {
        wide(self.payload.len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        let (start, len) = (usize::try_from(offset).unwrap_or(usize::MAX), self.payload.len());
        let target = self.map.get_mut(start..).and_then(|bytes| bytes.get_mut(..len));
        target.ok_or(io::ErrorKind::WriteZero)?.copy_from_slice(&self.payload);
        self.map.flush_range(start, len)
    }
}

//! What only Linux has, besides `io_uring`.

use std::{
    fs::File,
    io::{self, IoSlice},
    os::unix::fs::FileExt,
};

use rustix::{fs::FallocateFlags, io::ReadWriteFlags};

use crate::{
    disk::{
        aligned::Aligned,
        way::{Way, all_of},
    },
    number::wide,
};

/// Gives a file its length and its room on disk, but no bytes.
pub(crate) fn allocate(file: &File, len: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len)?)
}

/// Past the page cache. The file is open with `O_DIRECT` and `O_DSYNC`.
pub(crate) struct Direct {
    file: File,
    payload: Aligned,
}

impl Direct {
    pub(crate) fn new(file: File, bytes: usize) -> Self {
        Self { file, payload: Aligned::new(bytes) }
    }
}

impl Way for Direct {
    fn step(&self) -> u64 {
        wide(self.payload.as_slice().len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        let payload = self.payload.as_slice();
        all_of(payload.len(), self.file.write_at(payload, offset)?)
    }
}

/// `pwritev2` with `RWF_DSYNC`: as if the file were open with `O_DSYNC`, for one write.
pub(crate) struct Flagged {
    pub(crate) file: File,
    pub(crate) payload: Vec<u8>,
}

impl Way for Flagged {
    fn step(&self) -> u64 {
        wide(self.payload.len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        let slices = [IoSlice::new(&self.payload)];
        let written = rustix::io::pwritev2(&self.file, &slices, offset, ReadWriteFlags::DSYNC)?;
        all_of(self.payload.len(), written)
    }
}

//! Writes with `io_uring`: a write, and a sync that begins when it has ended.
#![expect(unsafe_code, reason = "the kernel reads a buffer after the call has returned")]

use std::{fs::File, io, os::fd::AsRawFd};

use io_uring::{IoUring, opcode, squeue, types};

use crate::{disk::way::Way, number::wide};

/// Submits a write and a linked fdatasync with one call, and waits for both.
pub(crate) struct Uring {
    // Before the payload: fields are dropped in this order.
    ring: IoUring,
    file: File,
    payload: Vec<u8>,
}

impl Uring {
    pub(crate) fn new(file: File, payload: Vec<u8>) -> io::Result<Self> {
        Ok(Self { ring: IoUring::new(8)?, file, payload })
    }

    fn submit(&mut self, offset: u64) -> io::Result<()> {
        let file = types::Fd(self.file.as_raw_fd());
        let len = u32::try_from(self.payload.len()).map_err(io::Error::other)?;
        let write = opcode::Write::new(file, self.payload.as_ptr(), len).offset(offset);
        let sync = opcode::Fsync::new(file).flags(types::FsyncFlags::DATASYNC);
        let entries = [write.build().flags(squeue::Flags::IO_LINK).user_data(WRITE), sync.build()];
        let mut queue = self.ring.submission();
        // SAFETY: the file and the payload stay where they are until both entries are complete:
        // `write` waits for that, and nobody writes to the payload.
        let pushed = unsafe { queue.push_multiple(&entries) };
        pushed.map_err(io::Error::other)
    }

    /// Waits for both; the first error counts.
    fn complete(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        let mut left = 2;
        while left > 0 {
            match self.ring.submit_and_wait(left) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for entry in self.ring.completion() {
                left = left.saturating_sub(1);
                let is_write = entry.user_data() == WRITE;
                result = result.and(outcome(entry.result(), is_write, self.payload.len()));
            }
        }
        result
    }
}

/// Tells the write from the sync.
const WRITE: u64 = 1;

fn outcome(result: i32, is_write: bool, len: usize) -> io::Result<()> {
    match u64::try_from(result) {
        Err(_) => Err(io::Error::from_raw_os_error(result.saturating_neg())),
        Ok(written) if is_write && written != wide(len) => Err(io::ErrorKind::WriteZero.into()),
        Ok(_) => Ok(()),
    }
}

impl Way for Uring {
    fn step(&self) -> u64 {
        wide(self.payload.len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        self.submit(offset)?;
        self.complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_write_and_a_failed_sync_are_errors() {
        let kind = |result, is_write| outcome(result, is_write, 10).map_err(|error| error.kind());
        assert_eq!(kind(10, true), Ok(()));
        assert_eq!(kind(0, false), Ok(()));
        assert_eq!(kind(9, true), Err(io::ErrorKind::WriteZero));
        assert_eq!(kind(-libc::ENOSPC, false), Err(io::ErrorKind::StorageFull));
    }
}

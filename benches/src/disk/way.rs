//! What a way to make writes durable can do.

use std::io;

/// A file that is open for one way of durable writes of one size.
pub(crate) trait Way {
    /// How many bytes of the file one write takes.
    fn step(&self) -> u64;

    /// Writes at an offset and returns when that is durable.
    ///
    /// # Errors
    /// As the system says, and [`io::ErrorKind::WriteZero`] for a part only.
    fn write(&mut self, offset: u64) -> io::Result<()>;
}

/// A write must be made by one call: the rest would be another write.
pub(crate) fn all_of(len: usize, written: usize) -> io::Result<()> {
    if written == len { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

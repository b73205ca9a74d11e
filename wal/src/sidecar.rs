//! Files beside the segments that are derived from them: their owner can make them again, so they
//! are written whole, never changed, and lost without harm.

use std::{fmt, io};

use crate::{
    access::Access,
    map::Map,
    num::{to_u64, to_usize},
    options::ReadMode,
    storage::{self, Directory},
};

/// While a sidecar is written, its name ends with this.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// The bytes of a sidecar.
pub struct Sidecar(Content);

enum Content {
    Mapped(Map, usize),
    Read(Vec<u8>),
}

impl Sidecar {
    /// Opens a sidecar for reading.
    ///
    /// # Errors
    /// `NotFound`, or as the system says.
    pub fn open(directory: &dyn Directory, name: &str, mode: ReadMode) -> io::Result<Self> {
        let file = directory.open(name, Access::Read)?;
        let len = file.size()?;
        if mode != ReadMode::Pread
            && len > 0
            && let Some(map) = file.map(len, Access::Read)?
        {
            map.stabilize(to_usize(len));
            return Ok(Self(Content::Mapped(map, to_usize(len))));
        }
        Ok(Self(Content::Read(storage::read_whole(&*file)?)))
    }

    /// Writes a sidecar: whole, or not at all. Its name need not survive a power failure, so the
    /// directory is not synced; an error that a sync would report is left to the log's own.
    ///
    /// # Errors
    /// As the system says.
    pub fn write(directory: &dyn Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!("{name}{TEMPORARY_SUFFIX}");
        storage::remove_if_there(directory, &temporary)?;
        let file = directory.create(&temporary)?;
        storage::write_all(&*file, 0, bytes)?;
        file.sync_data()?;
        directory.rename(&temporary, name)
    }

    /// Removes a sidecar. It may be back after a power failure: the directory is not synced.
    ///
    /// # Errors
    /// As the system says, unless there was none.
    pub fn remove(directory: &dyn Directory, name: &str) -> io::Result<()> {
        storage::remove_if_there(directory, name)
    }
}

impl AsRef<[u8]> for Sidecar {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map, len) => map.bytes().get(..*len).unwrap_or_default(),
            Content::Read(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Sidecar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sidecar({} bytes)", to_u64(self.as_ref().len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::memory::Memory;

    #[test]
    fn it_is_mapped_or_read_as_asked_for_and_the_same() {
        let memory = Memory::default();
        for bytes in [&b""[..], b"a", &[7; 9000]] {
            Sidecar::write(&memory, "a.idx", bytes).unwrap();
            for (mode, is_mapped) in [
                (ReadMode::Map, !bytes.is_empty()),
                (ReadMode::MapCheckedOnce, !bytes.is_empty()),
                (ReadMode::Pread, false),
            ] {
                let sidecar = Sidecar::open(&memory, "a.idx", mode).unwrap();
                assert_eq!(sidecar.as_ref(), bytes);
                assert_eq!(matches!(sidecar.0, Content::Mapped(..)), is_mapped, "{mode:?}");
                assert_eq!(format!("{sidecar:?}"), format!("Sidecar({} bytes)", bytes.len()));
            }
        }
    }
}

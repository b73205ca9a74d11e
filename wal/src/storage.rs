//! The floor under the log: a directory of files. The disk is one, memory is another, the
//! simulator of `annals-sim` a third. All I/O of Annals goes through these verbs.
//!
//! What an implementation may lose in a crash: bytes and sizes of a file that were not covered
//! by a returned [`File::sync_data`], names that were not covered by a returned
//! [`Directory::sync`].

use std::{fmt::Debug, io, sync::Arc};

use crate::{access::Access, map::Map};
use annals_planted::{Bug, planted};

/// A directory that holds one log. Names are plain file names, never paths.
pub trait Directory: Debug + Send + Sync {
    /// Becomes the only writer, until the guard is dropped or the process ends.
    ///
    /// # Errors
    /// [`LockError::Held`] while another writer is, in this process or another.
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError>;

    /// The names in the directory, in any order, without the lock's.
    ///
    /// # Errors
    /// As the system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Creates an empty file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists`, or as the system says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens an existing regular file.
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` when it is no regular file, or as the system says.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name; replaces the file that has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when every name created, changed or removed so far is durable.
    ///
    /// # Errors
    /// As the system says; afterwards nothing is known of the names.
    fn sync(&self) -> io::Result<()>;

    /// The file's path, for messages.
    fn display(&self, name: &str) -> String;
}

/// Bytes of one file. Offsets and lengths are in bytes.
pub trait File: Debug + Send + Sync {
    /// Reads at `offset` into `out`; returns how many bytes, 0 only at the end or for an empty
    /// `out`.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize>;

    /// Writes at `offset`; returns how many bytes, perhaps fewer than given.
    ///
    /// # Errors
    /// As the system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Returns when every byte written so far, and the size needed to read it, is durable.
    ///
    /// # Errors
    /// As the system says; afterwards nothing is known of what was written.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes an empty file `len` zero bytes long, if that needs no writing: it is not to be kept
    /// anyway. Says whether it did.
    ///
    /// # Errors
    /// As the system says.
    fn extend(&self, len: u64) -> io::Result<bool> {
        let _ = len;
        Ok(false)
    }

    /// The size in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn size(&self) -> io::Result<u64>;

    /// The first `len` bytes mapped into memory, where the file can do that. The file must be
    /// that long already and must not shrink. Where writing through a mapping could fail for
    /// want of room, which would end the process, the mapping is read-only whatever is asked for.
    ///
    /// # Errors
    /// As the system says.
    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>>;
}

/// Held by the only writer of a directory.
pub trait WriterLock: Debug + Send + Sync {}

/// Why the directory could not be locked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another writer has it.
    #[error("held by {holder}")]
    Held {
        /// Who, as far as the system tells.
        holder: String,
    },
    /// The lock could not be asked for.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Fills `out` from `offset`; returns how many bytes there were before the file's end.
pub(crate) fn read_up_to(file: &dyn File, mut offset: u64, out: &mut [u8]) -> io::Result<usize> {
    let (mut filled, mut interrupts) = (0, 0);
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset, rest) {
            Ok(0) => break,
            Ok(count) => {
                filled += count;
                offset += crate::num::to_u64(count);
            }
            Err(error) if is_to_repeat(&error, &mut interrupts) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The whole file.
pub(crate) fn read_whole(file: &dyn File) -> io::Result<Vec<u8>> {
    read_front(file, file.size()?)
}

/// The first `len` bytes of a file, fewer if it ends before.
pub(crate) fn read_front(file: &dyn File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file that claims to be larger than memory is an error, not the end of the process.
    bytes.try_reserve_exact(crate::num::to_usize(len)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(crate::num::to_usize(len), 0);
    let len = read_up_to(file, 0, &mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_there(directory: &dyn Directory, name: &str) -> io::Result<()> {
    match directory.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes all of `bytes` at `offset`: goes on after short and interrupted writes.
pub(crate) fn write_all(file: &dyn File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    let mut interrupts = 0;
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(_) if planted(Bug::ShortWriteIgnored) => return Ok(()),
            Err(_) if planted(Bug::SwallowedWriteError) => return Ok(()),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset += crate::num::to_u64(count);
            }
            Err(error) if is_to_repeat(&error, &mut interrupts) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Syncs a file; what a sync that failed has done nobody knows.
pub(crate) fn sync_data(file: &dyn File) -> io::Result<()> {
    match file.sync_data() {
        Err(_) if planted(Bug::RetriedSync) => file.sync_data(),
        Err(_) if planted(Bug::SwallowedSyncError) => Ok(()),
        synced => synced,
    }
}

/// Calls that are interrupted are repeated, but not for ever.
fn is_to_repeat(error: &io::Error, interrupts: &mut u32) -> bool {
    *interrupts += 1;
    error.kind() == io::ErrorKind::Interrupted && *interrupts <= 100
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::disk::Disk;

    /// A file of one kind of byte, of which a call gives or takes one, after as many that are
    /// interrupted.
    #[derive(Debug, Default)]
    struct Interrupted(AtomicU32);

    impl Interrupted {
        fn call(&self) -> io::Result<usize> {
            let left = self.0.load(Relaxed);
            self.0.store(left.saturating_sub(1), Relaxed);
            if left > 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(1) }
        }
    }

    impl File for Interrupted {
        fn read_at(&self, _: u64, out: &mut [u8]) -> io::Result<usize> {
            out.iter_mut().take(1).for_each(|byte| *byte = 7);
            self.call()
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<usize> {
            self.call()
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn size(&self) -> io::Result<u64> {
            Ok(3)
        }
        fn map(&self, _: u64, _: Access) -> io::Result<Option<Map>> {
            Ok(None)
        }
    }

    /// A signal may come at any time; a file system that says so for ever must not hang the store.
    #[test]
    fn calls_that_are_interrupted_are_repeated_but_not_for_ever() {
        for (interrupts, is_done) in [(0, true), (100, true), (101, false)] {
            let file = Interrupted(AtomicU32::new(interrupts));
            let read = read_whole(&file).ok();
            assert_eq!(read, is_done.then(|| vec![7; 3]), "{interrupts}");
            let file = Interrupted(AtomicU32::new(interrupts));
            assert_eq!(write_all(&file, 0, b"abc").is_ok(), is_done, "{interrupts}");
        }
    }

    #[test]
    fn what_cannot_be_removed_is_an_error_and_what_is_not_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::create(dir.path()).unwrap();
        drop(disk.create("file").unwrap());
        drop(Disk::create(&dir.path().join("directory")).unwrap());
        for (name, is_removed) in [("file", true), ("file", true), ("directory", false)] {
            assert_eq!(remove_if_there(&disk, name).is_ok(), is_removed, "{name}");
        }
        assert_eq!(disk.names().unwrap(), ["directory"]);
    }
}

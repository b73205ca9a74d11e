//! A directory of the file system.

use std::{
    fs::{self, TryLockError},
    io::{
        self,
        ErrorKind::{QuotaExceeded, StorageFull},
        Read,
    },
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use annals_planted::{Bug, planted};
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags};

use crate::{
    access::Access,
    ancestry,
    map::Map,
    names::{open_directory, sync_names},
    num::{to_u64, to_usize},
    storage::{Directory, File, LockError, WriterLock},
};

/// The file that the writer of a directory holds locked. It is never removed: a removed lock
/// file could be locked twice.
const LOCK: &str = "annals.lock";
/// How much of it says who that is: a process id, and blanks.
const HINT_BYTES: usize = 20;

/// A directory of the file system, held open: it stays the same one even if it is moved.
#[derive(Debug)]
pub struct Disk {
    directory: OwnedFd,
    path: PathBuf,
    /// What its files may be mapped for.
    map_access: Access,
}

impl Disk {
    /// Opens a directory; creates it, with its parents, if it is missing. Their names are durable when
    /// this returns. A parent in which this process may make names, but which it may not read, cannot
    /// be synced by itself: on Linux everything on its filesystem is synced then, elsewhere it is an
    /// error. One in which it may do neither is left to whom it belongs to.
    ///
    /// # Errors
    /// As the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        ancestry::create(path)?;
        Self::open(path)
    }

    /// Opens a directory that exists.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let directory = open_directory(path)?;
        let map_access =
            if overwrites_in_place(&directory)? { Access::Write } else { Access::Read };
        Ok(Self { directory, path: path.to_owned(), map_access })
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<DiskFile> {
        // NONBLOCK: opening a FIFO that someone put there must not hang.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = fs::File::from(rustix::fs::openat(&self.directory, name, flags, mode)?);
        if !file.metadata()?.is_file() {
            let what = format!("{} is not a regular file", self.display(name));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(DiskFile { file, map_access: self.map_access, is_unnamed: false })
    }
}

impl Directory for Disk {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        let DiskFile { mut file, .. } = self.open_file(LOCK, OFlags::CREATE | OFlags::RDWR)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if planted(Bug::LockIgnored) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { holder: describe_holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        name_holder(&file)?;
        Ok(Box::new(DiskLock(file)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !matches!(name.as_str(), "." | ".." | LOCK) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
        Ok(Arc::new(self.open_file(name, flags)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        Ok(Arc::new(self.open_file(name, flags)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, from, &self.directory, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        sync_names(&self.directory)
    }

    fn display(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

/// Whether a page of a file that was written before can be written again without any new room.
/// Where that is not known, a mapping is not written to: `ENOSPC` would end the process. XFS needs
/// room after all for pages that a copy shares (`cp --reflink`): docs/guarantees.md says not to make
/// one of an open log.
#[cfg(target_os = "linux")]
fn overwrites_in_place(directory: &OwnedFd) -> io::Result<bool> {
    // ext2 to ext4, XFS, tmpfs: statfs(2) has the numbers.
    const IN_PLACE: [u64; 3] = [0xEF53, 0x5846_5342, 0x0102_1994];
    let kind = rustix::fs::fstatfs(directory)?.f_type;
    Ok(u64::try_from(kind).is_ok_and(|kind| IN_PLACE.contains(&kind)))
}

#[cfg(not(target_os = "linux"))]
fn overwrites_in_place(_directory: &OwnedFd) -> io::Result<bool> {
    Ok(false)
}

/// A file of the file system.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: fs::File,
    map_access: Access,
    is_unnamed: bool,
}

impl DiskFile {
    /// A file without a name, in memory where the system can do that: it is gone when it is
    /// dropped.
    pub(crate) fn unnamed() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let file = {
            let flags = rustix::fs::MemfdFlags::CLOEXEC;
            fs::File::from(rustix::fs::memfd_create("annals", flags)?)
        };
        #[cfg(not(target_os = "linux"))]
        let file = tempfile::tempfile()?;
        Ok(Self { file, map_access: Access::Write, is_unnamed: true })
    }
}

impl File for DiskFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(out, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn extend(&self, len: u64) -> io::Result<bool> {
        if self.is_unnamed {
            self.file.set_len(len)?;
        }
        Ok(self.is_unnamed)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        let access = if self.map_access == Access::Read { Access::Read } else { access };
        let map = Map::new(&self.file, to_usize(len), access)?;
        if self.is_unnamed && access == Access::Write {
            match map.populate() {
                // Linux before 5.14: the memory is taken, and found at the first write of a page.
                #[cfg(target_os = "linux")]
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len)?;
                }
                populated => populated?,
            }
        }
        Ok(Some(map))
    }
}

/// Locked while it is open.
#[derive(Debug)]
struct DiskLock(fs::File);

impl WriterLock for DiskLock {}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // A child process that was just forked holds the same file until it starts its program:
        // closing would not unlock. An error leaves the lock to the end of the process.
        drop(self.0.unlock());
    }
}

/// Leaves a hint for who finds the lock held. It goes over the last one, as wide: a full disk may
/// not give again what was given back, and a log opens on a full disk.
fn name_holder(file: &fs::File) -> io::Result<()> {
    let hint = format!("{:<HINT_BYTES$}", std::process::id());
    match file.write_all_at(hint.as_bytes(), 0) {
        Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => file.set_len(0),
        written => written,
    }
}

/// Who wrote the lock file: a process id, with the process's name where the system tells.
fn describe_holder(file: &mut fs::File) -> String {
    let mut text = String::new();
    let read = Read::take(file, to_u64(HINT_BYTES)).read_to_string(&mut text);
    let Some(pid) = read.ok().and_then(|_| text.trim().parse::<u32>().ok()) else {
        return "another process".to_owned();
    };
    if pid == std::process::id() {
        return format!("this process ({pid}), which has it open already");
    }
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("process {pid} ({})", name.trim_end().escape_default()),
        Err(_) => format!("process {pid}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// A log in memory that finds none while it writes would end the process.
    #[test]
    fn a_file_in_memory_has_its_memory_when_it_is_mapped_for_writing() {
        let len = 1 << 20;
        for (access, is_taken) in [(Access::Read, false), (Access::Write, true)] {
            let file = DiskFile::unnamed().unwrap();
            assert!(file.extend(len).unwrap());
            let map = file.map(len, access).unwrap().unwrap();
            assert_eq!(map.is_writable(), is_taken);
            let taken = 512 * file.file.metadata().unwrap().blocks();
            assert_eq!(taken, if is_taken { len } else { 0 });
        }
    }
}

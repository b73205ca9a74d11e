//! Names in a directory that outlive a power failure.

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::fs::{Mode, OFlags};

/// Opens a directory for reading; the empty path is the working directory.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Returns when the names in a directory are durable.
///
/// XFS keeps names in its log only. If a write of that log fails while another thread syncs,
/// it shuts down and forgets what it had logged, and its `fsync` of a directory then finds nothing
/// to do and succeeds (`xfs_dir_fsync` of Linux, up to 6.18 at least). Every `fstat` fails from that
/// moment on: the look afterwards tells a name that is durable from one that is forgotten.
pub(crate) fn sync_names(directory: &OwnedFd) -> io::Result<()> {
    rustix::fs::fsync(directory)?;
    rustix::fs::fstat(directory)?;
    Ok(())
}

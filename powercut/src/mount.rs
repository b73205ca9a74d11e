//! Mounting.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount, unmount},
};

use crate::filesystem::Filesystem;

/// How often to try again while something seems to be open, and how long to wait in between.
const BUSY_MAX: u32 = 2000;
const PAUSE: Duration = Duration::from_millis(5);

/// A mounted filesystem.
#[derive(Debug)]
pub(crate) struct Mounted {
    at: PathBuf,
    is_mounted: bool,
}

impl Mounted {
    /// Mounts a filesystem, which may be told to discard what it frees.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn new(
        filesystem: Filesystem,
        device: &Path,
        at: &Path,
        does_discard: bool,
    ) -> io::Result<Self> {
        let (flags, options) = (MountFlags::NOATIME, filesystem.options(does_discard));
        mount(device, at, filesystem.name(), flags, Some(options))?;
        Ok(Self { at: at.to_owned(), is_mounted: true })
    }

    /// Where it is.
    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// Where the store is in it: so deep that the directories above it are made by the store as
    /// well.
    pub(crate) fn store(&self) -> PathBuf {
        store_in(&self.at)
    }

    /// Leaves it mounted.
    pub(crate) fn leave(mut self) {
        self.is_mounted = false;
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn unmount(mut self) -> io::Result<()> {
        for _ in 0..BUSY_MAX {
            match unmount(&self.at, UnmountFlags::empty()) {
                // A process that another thread just started holds copies of this one's files
                // until it runs its own program.
                Err(Errno::BUSY) => thread::sleep(PAUSE),
                outcome => {
                    self.is_mounted = outcome.is_err();
                    return Ok(outcome?);
                }
            }
        }
        Ok(unmount(&self.at, UnmountFlags::empty())?)
    }
}

/// Where the store is in a filesystem that is mounted there.
pub(crate) fn store_in(at: &Path) -> PathBuf {
    at.join("deep/er/store")
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_mounted {
            // Something may still use it; it goes when that does.
            let _ = unmount(&self.at, UnmountFlags::DETACH);
        }
    }
}

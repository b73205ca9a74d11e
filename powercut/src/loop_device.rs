//! Block devices whose bytes are those of a file.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::{error::PowercutError, image::Image, programs};

/// A block device whose bytes are those of a file. It is gone when it is dropped and no longer
/// mounted, or when this process ends, however it ends.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    path: PathBuf,
    /// While it is open the system keeps the device.
    _held: File,
}

impl LoopDevice {
    /// Makes one.
    ///
    /// # Errors
    /// As `losetup` or the system says.
    pub(crate) fn attach(file: &Path) -> Result<Self, PowercutError> {
        Self::attach_with(file, "--direct-io=off")
    }

    /// Makes one that asks the file for its bytes each time, and remembers none.
    ///
    /// # Errors
    /// As `losetup` or the system says.
    pub(crate) fn attach_forgetful(file: &Path) -> Result<Self, PowercutError> {
        Self::attach_with(file, "--direct-io=on")
    }

    fn attach_with(file: &Path, option: &str) -> Result<Self, PowercutError> {
        let arguments = ["--find".as_ref(), "--show".as_ref(), option.as_ref(), file.as_os_str()];
        let path = PathBuf::from(programs::run("losetup", &arguments)?);
        let held = OpenOptions::new().read(true).open(&path);
        // A device that is in use is detached when its last user lets go of it.
        let detached = programs::run("losetup", &["--detach".as_ref(), path.as_os_str()]);
        let held = held.map_err(PowercutError::io("open a loop device"))?;
        detached?;
        Ok(Self { path, _held: held })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A loop device on a file in memory that can become one disk after the other.
#[derive(Debug)]
pub(crate) struct Slate {
    file: File,
    device: LoopDevice,
}

impl Slate {
    /// Makes one.
    ///
    /// # Errors
    /// As `losetup` or the system says.
    pub(crate) fn new(file: &Path, bytes: u64) -> Result<Self, PowercutError> {
        let io = PowercutError::io("make a file for a loop device");
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(true).open(file);
        let opened = opened.map_err(&io)?;
        opened.set_len(bytes).map_err(&io)?;
        Ok(Self { file: opened, device: LoopDevice::attach(file)? })
    }

    pub(crate) fn device(&self) -> &Path {
        self.device.path()
    }

    /// Becomes a disk. It must not be mounted.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn become_disk(&self, image: &Image) -> io::Result<()> {
        // Through the device, not the file: this also drops what the system remembers of the
        // disk that it was before.
        let device = OpenOptions::new().read(true).write(true).open(self.device.path())?;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&device, flags, 0, image.size())?;
        for (offset, bytes) in image.runs() {
            self.file.write_all_at(&bytes, offset)?;
        }
        Ok(())
    }

    /// Whether it differs from the disk that it became: whether anybody wrote to it.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn differs_from(&self, image: &Image) -> io::Result<bool> {
        for (offset, bytes) in image.runs() {
            let mut found = vec![0; bytes.len()];
            self.file.read_exact_at(&mut found, offset)?;
            if found != bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

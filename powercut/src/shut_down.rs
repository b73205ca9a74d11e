//! The system shuts a filesystem down, as it does when the disk refuses a write of its journal.

use std::{fs, path::Path};

use annals::{Directory, Disk};

use crate::{
    error::PowercutError, filesystem::Filesystem, loop_device::Slate, mount::Mounted, programs,
};

/// Holds a directory to its word: once its filesystem is shut down, no sync of it succeeds, not
/// even where nothing seems to be left to sync. (What was left may have been forgotten.)
///
/// # Errors
/// It breaks its word, or the system refuses.
pub(crate) fn refuses(filesystem: Filesystem, scratch: &Path) -> Result<(), PowercutError> {
    let io = PowercutError::io("shut a filesystem down");
    let at = scratch.join(format!("shut-down-{}", filesystem.name()));
    fs::create_dir_all(&at).map_err(&io)?;
    let image = filesystem.make(scratch)?;
    let slate = Slate::new(&at.with_extension("disk"), image.size())?;
    slate.become_disk(&image).map_err(&io)?;
    let mounted = Mounted::new(filesystem, slate.device(), &at, false).map_err(&io)?;
    let directory = Disk::create(&mounted.store()).map_err(&io)?;
    drop(directory.create("a").map_err(&io)?);
    directory.sync().map_err(&io)?;
    programs::run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), at.as_os_str()])?;
    let synced = directory.sync();
    drop(directory);
    mounted.unmount().map_err(&io)?;
    drop(slate);
    fs::remove_file(at.with_extension("disk")).map_err(&io)?;
    if synced.is_err() {
        return Ok(());
    }
    let what = format!("a directory was synced on {}, which was shut down", filesystem.name());
    Err(PowercutError::BrokenWord(what))
}

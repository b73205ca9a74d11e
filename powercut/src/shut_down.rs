//! The system shuts a filesystem down, as it does when the disk refuses a write of its journal.

use std::path::Path;

use annals::{Directory, Disk};

use crate::{error::PowercutError, filesystem::Filesystem, programs, rehearsal};

/// Holds a directory to its word: once its filesystem is shut down, no sync of it succeeds, not
/// even where nothing seems to be left to sync. (What was left may have been forgotten.)
///
/// # Errors
/// It breaks its word, or the system refuses.
pub(crate) fn refuses(filesystem: Filesystem, scratch: &Path) -> Result<(), PowercutError> {
    let io = PowercutError::io("sync a directory");
    let synced = rehearsal::on_an_empty_one(filesystem, scratch, "shut-down", |mounted| {
        let directory = Disk::create(&mounted.store()).map_err(&io)?;
        drop(directory.create("a").map_err(&io)?);
        directory.sync().map_err(&io)?;
        let place = mounted.at().as_os_str();
        programs::run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), place])?;
        Ok(directory.sync())
    })?;
    if synced.is_err() {
        return Ok(());
    }
    let what = format!("a directory was synced on {}, which was shut down", filesystem.name());
    Err(PowercutError::BrokenWord(what))
}

//! Dropping files from the page cache.

use std::{fs::File, path::Path};

use rustix::fs::{Advice, fadvise};

use crate::error::{BenchError, io_error};

/// Has the system drop a closed log's files from its page cache. What a host below this machine
/// caches stays cached.
pub(crate) fn evict(path: &Path) -> Result<(), BenchError> {
    each_file(path, |file| {
        // Only clean pages can be dropped.
        file.sync_all()?;
        Ok(fadvise(file, 0, None, Advice::DontNeed)?)
    })
}

/// Has a directory's files on disk, so that nothing is written while something is measured.
pub(crate) fn sync(path: &Path) -> Result<(), BenchError> {
    each_file(path, File::sync_all)
}

fn each_file(path: &Path, act: impl Fn(&File) -> std::io::Result<()>) -> Result<(), BenchError> {
    let all = || {
        for entry in std::fs::read_dir(path)? {
            act(&File::open(entry?.path())?)?;
        }
        Ok(())
    };
    all().map_err(io_error("drop a log's files from the page cache"))
}

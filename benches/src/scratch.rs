//! Where logs lie while they are measured.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{error::BenchError, interrupt::Interrupt};

/// A directory that is gone when the program ends, interrupted or not.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes one in `parent`, which is made if it is missing.
    ///
    /// # Errors
    /// [`BenchError::Directory`]: nothing can be written there.
    pub fn new(parent: &Path, interrupt: &Interrupt) -> Result<Self, BenchError> {
        Ok(Self(temporary(parent, "annals-bench-", "--dir", interrupt)?))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A new directory in `parent`, which `option` names.
pub(crate) fn temporary(
    parent: &Path,
    prefix: &str,
    option: &'static str,
    interrupt: &Interrupt,
) -> Result<TempDir, BenchError> {
    let make = || {
        std::fs::create_dir_all(parent)?;
        tempfile::Builder::new().prefix(prefix).tempdir_in(parent)
    };
    let directory = make().map_err(|source| BenchError::Directory {
        directory: parent.to_owned(),
        option,
        source,
    })?;
    interrupt.remove(directory.path());
    Ok(directory)
}

/// Removes a log that was measured.
///
/// # Errors
/// [`BenchError::Io`]: the system refused.
pub fn remove(path: &Path) -> Result<(), BenchError> {
    std::fs::remove_dir_all(path).map_err(crate::error::io_error("remove a measured log"))
}

/// The bytes that files take: as long as they are, and as the disk has allocated.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) len: u64,
    pub(crate) allocated: u64,
}

/// What the files of a directory take whose names end with `suffix`.
pub(crate) fn sizes(path: &Path, suffix: &str) -> Result<Sizes, BenchError> {
    use std::os::unix::fs::MetadataExt;
    let measure = || {
        let mut sizes = Sizes::default();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(suffix) {
                let metadata = entry.metadata()?;
                sizes.len += metadata.len();
                sizes.allocated += metadata.blocks() * 512;
            }
        }
        Ok(sizes)
    };
    measure().map_err(crate::error::io_error("look at the files of a log"))
}

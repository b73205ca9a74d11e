//! The directory that a command is given.

use std::{collections::HashSet, path::Path, sync::Arc};

use annals_wal::{Directory, Disk, SegmentFile, list_segments};

use crate::error::DumpError;

/// The directory of a log, as it was found: there is at least one segment in it.
#[derive(Debug)]
pub struct LogDirectory {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) segments: Vec<SegmentFile>,
    names: HashSet<String>,
}

/// A directory of the file system.
pub(crate) fn disk(path: &Path) -> Result<Arc<dyn Directory>, DumpError> {
    let failed = |source| DumpError::Directory { directory: path.display().to_string(), source };
    Ok(Arc::new(Disk::open(path).map_err(failed)?))
}

impl LogDirectory {
    /// Looks into a directory of the file system.
    ///
    /// # Errors
    /// [`DumpError`]: it cannot be read, or has no segment.
    pub fn open(path: &Path) -> Result<Self, DumpError> {
        Self::open_on(disk(path)?)
    }

    /// Looks into a directory of one's own making.
    ///
    /// # Errors
    /// As [`LogDirectory::open`].
    pub fn open_on(directory: Arc<dyn Directory>) -> Result<Self, DumpError> {
        let segments = list_segments(&*directory)?;
        if segments.is_empty() {
            return Err(DumpError::NoLog { directory: directory.display("") });
        }
        let failed = |source| DumpError::Directory { directory: directory.display(""), source };
        let names = directory.names().map_err(failed)?.into_iter().collect();
        Ok(Self { directory, segments, names })
    }

    /// Whether a segment is the last, now: a writer may have begun another one meanwhile.
    pub(crate) fn ends_with(&self, segment: &SegmentFile) -> Result<bool, DumpError> {
        let now = list_segments(&*self.directory)?;
        Ok(now.last().is_none_or(|last| last.first_record <= segment.first_record))
    }

    /// The name of the index image of a segment, if there is a file of that name.
    pub(crate) fn image_name(&self, segment: &SegmentFile) -> Option<String> {
        // As the engine names them.
        let name = format!("{:020}.idx", segment.first_record);
        self.names.contains(&name).then_some(name)
    }
}

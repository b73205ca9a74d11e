//! Snapshots of folded state as files, one for each stream that has one.

use std::{io, path::Path, sync::Arc};

use annals_event::SnapshotStore;
use annals_wal::{Access, Directory, Disk, ReadMode, Sidecar};

/// Snapshots as files of a directory of their own: `snapshots` in the log's directory, say, made
/// after the log. It can be deleted at any time.
///
/// ```
/// use annals_engine::{Annals, SnapshotFiles};
///
/// let dir = tempfile::tempdir()?;
/// let annals = Annals::open(dir.path())?;
/// let snapshots = SnapshotFiles::open(dir.path().join("snapshots"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SnapshotFiles {
    directory: Arc<dyn Directory>,
}

/// A larger file is not read.
const BYTES_MAX: u64 = 64 << 20;

impl SnapshotFiles {
    /// A directory of the file system; it is made if it is missing.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::on(Arc::new(Disk::create(path.as_ref())?)))
    }

    /// Any directory.
    pub fn on(directory: Arc<dyn Directory>) -> Self {
        Self { directory }
    }
}

impl SnapshotStore for SnapshotFiles {
    fn load(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let name = file_name(key)?;
        let size = match self.directory.open(&name, Access::Read) {
            Ok(file) => file.size()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if size > BYTES_MAX {
            let what = format!("{} has {size} bytes", self.directory.display(&name));
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        // Not mapped: a file that somebody truncates would end the process.
        let sidecar = Sidecar::open(&*self.directory, &name, ReadMode::Pread)?;
        Ok(Some(sidecar.as_ref().to_vec()))
    }

    fn save(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        Sidecar::write(&*self.directory, &file_name(key)?, bytes)
    }
}

/// A key becomes the name of a file, and never a path.
fn file_name(key: &str) -> io::Result<String> {
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && key.len() <= 64 {
        return Ok(format!("{key}.snapshot"));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "a key is up to 64 letters and digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_last_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let files = SnapshotFiles::open(dir.path().join("snapshots")).unwrap();
            for bytes in [&b"first"[..], b"", b"the second"] {
                files.save("0a", bytes).unwrap();
                assert_eq!(files.load("0a").unwrap().as_deref(), Some(bytes));
            }
            assert_eq!(files.load("0b").unwrap(), None);
        }
    }

    #[test]
    fn a_key_is_no_path_and_a_file_is_not_larger_than_memory() {
        let dir = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::open(dir.path()).unwrap();
        let long = "a".repeat(65);
        for key in ["", ".", "..", "../a", "a/b", "a.b", "ä", long.as_str()] {
            assert_eq!(files.load(key).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert_eq!(files.save(key, b"").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        let path = dir.path().join("0a.snapshot");
        std::fs::write(&path, b"").unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(BYTES_MAX + 1).unwrap();
        assert_eq!(files.load("0a").unwrap_err().kind(), io::ErrorKind::InvalidData);
        file.set_len(BYTES_MAX).unwrap();
        let loaded = files.load("0a").unwrap().unwrap();
        assert_eq!(u64::try_from(loaded.len()), Ok(BYTES_MAX));
        std::fs::create_dir(dir.path().join("0b.snapshot")).unwrap();
        files.load("0b").unwrap_err();
    }
}

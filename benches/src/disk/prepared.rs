//! Files as long as a segment, prepared before they are measured.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use crate::{error::BenchError, number::wide};

/// How large a segment is.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;

/// Zeroes are written in pieces of this size where that is not the question.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Zeroes are synced in steps of this size where that is not the question.
const SYNC_BYTES: u64 = 1 << 20;

/// A new, empty file.
pub(crate) fn create(path: &Path) -> Result<File, BenchError> {
    let created = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    created.map_err(BenchError::of_file("create", path))
}

/// A file of zeroes that were written in pieces of that size, and are durable.
pub(crate) fn zeroes(path: &Path, piece_bytes: usize) -> Result<File, BenchError> {
    let file = create(path)?;
    fill(&file, piece_bytes).map_err(BenchError::of_file("fill", path))?;
    Ok(file)
}

fn fill(file: &File, piece_bytes: usize) -> io::Result<()> {
    let zeroes = vec![0; piece_bytes];
    for offset in (0..SEGMENT_BYTES).step_by(piece_bytes) {
        file.write_all_at(&zeroes, offset)?;
        if (offset + wide(piece_bytes)).is_multiple_of(SYNC_BYTES) {
            file.sync_data()?;
        }
    }
    file.sync_all()
}

pub(crate) fn remove(path: &Path) -> Result<(), BenchError> {
    fs::remove_file(path).map_err(BenchError::of_file("remove", path))
}

/// Where writes go one after the other, from the beginning again after the end.
#[derive(Debug, Default)]
pub(crate) struct Offsets(u64);

impl Offsets {
    pub(crate) fn next(&mut self, bytes: u64) -> u64 {
        if self.0 + bytes > SEGMENT_BYTES {
            self.0 = 0;
        }
        let offset = self.0;
        self.0 += bytes;
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_write_goes_over_the_end() {
        let mut offsets = Offsets::default();
        let third = SEGMENT_BYTES / 3;
        assert_eq!([(); 4].map(|()| offsets.next(third)), [0, third, 2 * third, 0]);
    }

    #[test]
    fn a_prepared_file_is_as_long_as_a_segment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        zeroes(&path, 1 << 20).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), SEGMENT_BYTES);
        let error = zeroes(&path, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("cannot create") && error.contains("--dir"), "{error}");
        remove(&path).unwrap();
    }
}

//! Where the workload leaves its notes: a file of the recorder, which puts them between the writes
//! and flushes of the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::note::Note;

/// Where the workload leaves its notes.
#[derive(Debug)]
pub(crate) struct Notes(File);

impl Notes {
    /// Opens the file.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().write(true).open(path).map(Self)
    }

    /// Leaves a note: it has its place when this returns.
    ///
    /// # Errors
    /// As the recorder says.
    pub(crate) fn put(&self, note: &Note) -> io::Result<()> {
        let mut bytes = Vec::new();
        note.put(&mut bytes);
        (&self.0).write_all(&bytes)
    }
}

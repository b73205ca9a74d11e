//! A record: a directory of files that is there as a whole or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    error::{BenchError, io_error},
    interrupt::Interrupt,
    scratch,
};

/// Files of a record, in a hidden directory until they are complete.
#[derive(Debug)]
pub struct Record {
    parent: PathBuf,
    hidden: TempDir,
    files: PathBuf,
    interrupt: Interrupt,
}

impl Record {
    /// Begins a record in `parent`, so that it is known early whether it can be written.
    ///
    /// # Errors
    /// [`BenchError::Directory`]: nothing can be written there.
    pub fn begin(parent: &Path, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let hidden = scratch::temporary(parent, ".partial-", "--record", interrupt)?;
        let files = hidden.path().join("record");
        fs::create_dir(&files).map_err(io_error("begin the record"))?;
        Ok(Self { parent: parent.to_owned(), hidden, files, interrupt: interrupt.clone() })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`BenchError::Io`]: it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), BenchError> {
        fs::write(self.files.join(name), text).map_err(io_error("write the record"))
    }

    /// Gives it a name that is free, and returns where it is.
    ///
    /// # Errors
    /// [`BenchError::Io`]: it cannot be renamed.
    pub fn finish(self, name: &str) -> Result<PathBuf, BenchError> {
        let finished = self.rename(name).map_err(io_error("name the record"))?;
        self.interrupt.keep(self.hidden.path());
        Ok(finished)
    }

    fn rename(&self, name: &str) -> io::Result<PathBuf> {
        let names = (2..).map(|number| format!("{name}-{number}"));
        for name in std::iter::once(name.to_owned()).chain(names) {
            let path = self.parent.join(name);
            if !path.try_exists()? {
                fs::rename(&self.files, &path)?;
                return Ok(path);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_there_as_a_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::listen().unwrap();
        let names = || -> Vec<String> {
            let entries = fs::read_dir(parent.path()).unwrap();
            let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
            names.sort();
            names
        };
        let begin = || Record::begin(parent.path(), &interrupt).unwrap();
        drop(begin());
        let first = begin();
        first.write("README.md", "text").unwrap();
        assert!(names().is_empty());
        first.finish("a").unwrap();
        begin().finish("a").unwrap();
        assert_eq!(names(), ["a", "a-2"]);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2, "nothing hidden is left");
    }
}

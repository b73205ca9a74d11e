//! A log as it will be when its repairs are written.

use std::{io, sync::Arc};

use crate::{
    access::Access,
    map::Map,
    mend::Bit,
    num::to_u64,
    repair::Repair,
    storage::{Directory, File, LockError, WriterLock},
};

/// A directory whose files are shown with repairs made; nothing in it can be changed.
#[derive(Debug)]
pub struct Mended {
    directory: Arc<dyn Directory>,
    repairs: Vec<Repair>,
}

#[derive(Debug)]
struct MendedFile {
    file: Arc<dyn File>,
    bits: Vec<Bit>,
}

impl Mended {
    /// Shows a directory with these repairs.
    pub fn new(directory: Arc<dyn Directory>, repairs: Vec<Repair>) -> Self {
        Self { directory, repairs }
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Directory for Mended {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        Ok(refused()?)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.directory.names()
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn File>> {
        refused()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        if access == Access::Write {
            return refused();
        }
        let file = self.directory.open(name, access)?;
        let here = self.repairs.iter().filter(|repair| repair.name == name);
        Ok(Arc::new(MendedFile { file, bits: here.map(|repair| repair.bit).collect() }))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn sync(&self) -> io::Result<()> {
        refused()
    }

    fn display(&self, name: &str) -> String {
        self.directory.display(name)
    }
}

impl File for MendedFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(offset, out)?;
        let read = offset..offset + to_u64(count);
        for bit in self.bits.iter().filter(|bit| read.contains(&bit.offset)) {
            Bit { offset: bit.offset - offset, ..*bit }.flip(out);
        }
        Ok(count)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<usize> {
        refused()
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn map(&self, _: u64, _: Access) -> io::Result<Option<Map>> {
        Ok(None)
    }
}

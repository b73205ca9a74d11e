//! A directory in memory: for logs that need not outlive the process. Its files are files of the
//! system without names, so that they can be mapped as those of a disk are.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    access::Access,
    disk::DiskFile,
    storage::{Directory, File, LockError, WriterLock},
};

/// A directory in memory. Clones are the same directory.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<BTreeMap<String, Arc<DiskFile>>>,
    locked: Arc<AtomicBool>,
}

impl Directory for Memory {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        // AcqRel pairs with the Release in `drop`: the next writer sees what the last one did.
        if self.0.locked.swap(true, Ordering::AcqRel) {
            return Err(LockError::Held { holder: "this process".to_owned() });
        }
        Ok(Box::new(MemoryLock(self.0.locked.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.files.lock().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut files = self.0.files.lock();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::new(DiskFile::unnamed()?);
        files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<Arc<dyn File>> {
        let file = self.0.files.lock().get(name).cloned();
        file.map(|file| -> Arc<dyn File> { file }).ok_or(io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.files.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.files.lock().remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn display(&self, name: &str) -> String {
        format!("memory:{name}")
    }
}

#[derive(Debug)]
struct MemoryLock(Arc<AtomicBool>);

impl WriterLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

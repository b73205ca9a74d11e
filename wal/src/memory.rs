//! A directory in memory: for logs that need not outlive the process.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{
    map::Map,
    num::{to_u64, to_usize},
    storage::{Access, Directory, File, LockError, WriterLock},
};

/// A directory in memory. Clones are the same directory.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
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
        let file = Arc::new(MemoryFile::default());
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

#[derive(Debug, Default)]
struct MemoryFile(RwLock<Content>);

/// The bytes up to the last one that is not zero, and the size: a prepared segment takes no
/// memory.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    size: u64,
}

impl File for MemoryFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let content = self.0.read();
        let len = to_usize(content.size.saturating_sub(offset)).min(out.len());
        let (out, _) = out.split_at_mut_checked(len).unwrap_or_default();
        let stored = content.bytes.get(to_usize(offset)..).unwrap_or_default();
        let (front, back) = out.split_at_mut(stored.len().min(len));
        front.copy_from_slice(stored.get(..front.len()).unwrap_or_default());
        back.fill(0);
        Ok(len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut content = self.0.write();
        let (start, end) = (to_usize(offset), to_usize(offset) + bytes.len());
        content.size = content.size.max(to_u64(end));
        if start >= content.bytes.len() && bytes.iter().all(|byte| *byte == 0) {
            return Ok(bytes.len());
        }
        let len = content.bytes.len().max(end);
        content.bytes.resize(len, 0);
        if let Some(target) = content.bytes.get_mut(start..end) {
            target.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.read().size)
    }

    fn map(&self, _len: u64) -> io::Result<Option<Map>> {
        Ok(None)
    }
}

//! A directory of byte vectors: no system calls, nothing to lose. Tests that open millions of
//! stores need it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use annals_wal::{Access, Directory, File, LockError, Map, WriterLock};

/// A directory. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plain {
    files: Arc<Mutex<BTreeMap<String, Arc<PlainFile>>>>,
    is_locked: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct PlainFile(RwLock<Vec<u8>>);

#[derive(Debug)]
struct PlainLock(Arc<AtomicBool>);

impl WriterLock for PlainLock {}

impl Drop for PlainLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl From<&BTreeMap<String, Vec<u8>>> for Plain {
    fn from(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let file = |bytes: &Vec<u8>| Arc::new(PlainFile(RwLock::new(bytes.clone())));
        let files = files.iter().map(|(name, bytes)| (name.clone(), file(bytes))).collect();
        Self { files: Arc::new(Mutex::new(files)), ..Self::default() }
    }
}

impl Plain {
    /// The files.
    pub(crate) fn read(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files.lock().unwrap();
        let bytes = |file: &PlainFile| file.0.read().unwrap().clone();
        files.iter().map(|(name, file)| (name.clone(), bytes(file))).collect()
    }

    /// Replaces a byte behind the back of whoever has the file open.
    pub(crate) fn put(&self, name: &str, at: usize, byte: u8) {
        self.files.lock().unwrap()[name].0.write().unwrap()[at] = byte;
    }
}

impl Directory for Plain {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        if self.is_locked.swap(true, Ordering::AcqRel) {
            return Err(LockError::Held { holder: "this test".to_owned() });
        }
        Ok(Box::new(PlainLock(self.is_locked.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut files = self.files.lock().unwrap();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::new(PlainFile::default());
        files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str, _: Access) -> io::Result<Arc<dyn File>> {
        let file = self.files.lock().unwrap().get(name).cloned();
        file.map(|file| -> Arc<dyn File> { file }).ok_or(io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().unwrap().remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn display(&self, name: &str) -> String {
        format!("plain:{name}")
    }
}

impl File for PlainFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.read().unwrap();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<usize> {
        let mut bytes = self.0.write().unwrap();
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let len = bytes.len().max(start + new.len());
        bytes.resize(len, 0);
        bytes[start..start + new.len()].copy_from_slice(new);
        Ok(new.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.0.read().unwrap().len()).unwrap())
    }

    fn map(&self, _: u64, _: Access) -> io::Result<Option<Map>> {
        Ok(None)
    }
}

//! A directory whose writes, syncs and renames somebody meddles with: to plant defects in what the
//! store believes to be its disk, or to watch it.

use std::{
    collections::HashMap,
    fmt::Debug,
    io,
    sync::{Arc, Weak},
};

use annals::{Directory, File};
use annals_wal::{Access, LockError, Map, WriterLock};
use parking_lot::Mutex;

/// Who meddles. `name` is the name that the file has now. Unless said otherwise, everything is
/// done as it was asked.
pub(crate) trait Meddler: Debug + Send + Sync {
    fn write_at(
        &self,
        _name: &str,
        file: &dyn File,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<usize> {
        file.write_at(offset, bytes)
    }

    fn sync_data(&self, _name: &str, file: &dyn File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, directory: &dyn Directory, from: &str, to: &str) -> io::Result<()> {
        directory.rename(from, to)
    }

    fn sync(&self, directory: &dyn Directory) -> io::Result<()> {
        directory.sync()
    }
}

/// Whether a file is a segment of the log.
pub(crate) fn is_segment(name: &str) -> bool {
    name.strip_suffix(".seg").is_some()
}

type Name = Arc<Mutex<String>>;

/// A directory that somebody meddles with.
#[derive(Debug)]
pub(crate) struct Meddled {
    directory: Arc<dyn Directory>,
    meddler: Arc<dyn Meddler>,
    /// The names of files that are open.
    open: Mutex<HashMap<String, Vec<Weak<Mutex<String>>>>>,
}

impl Meddled {
    pub(crate) fn new(directory: Arc<dyn Directory>, meddler: Arc<dyn Meddler>) -> Self {
        Self { directory, meddler, open: Mutex::default() }
    }

    fn wrap(&self, name: &str, file: Arc<dyn File>) -> Arc<dyn File> {
        let shared: Name = Arc::new(Mutex::new(name.to_owned()));
        let mut open = self.open.lock();
        open.entry(name.to_owned()).or_default().push(Arc::downgrade(&shared));
        Arc::new(MeddledFile { file, name: shared, meddler: self.meddler.clone() })
    }
}

impl Directory for Meddled {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        self.directory.lock()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.directory.names()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.directory.create(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.directory.open(name, access)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.meddler.rename(&*self.directory, from, to)?;
        let mut open = self.open.lock();
        let renamed = open.remove(from).unwrap_or_default();
        for name in renamed.iter().filter_map(Weak::upgrade) {
            to.clone_into(&mut name.lock());
        }
        open.insert(to.to_owned(), renamed);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.meddler.sync(&*self.directory)
    }

    fn display(&self, name: &str) -> String {
        self.directory.display(name)
    }
}

#[derive(Debug)]
struct MeddledFile {
    file: Arc<dyn File>,
    name: Name,
    meddler: Arc<dyn Meddler>,
}

impl File for MeddledFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let name = self.name.lock().clone();
        self.meddler.write_at(&name, &*self.file, offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        let name = self.name.lock().clone();
        self.meddler.sync_data(&name, &*self.file)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn extend(&self, len: u64) -> io::Result<bool> {
        self.file.extend(len)
    }

    fn map(&self, len: u64, access: Access) -> io::Result<Option<Map>> {
        self.file.map(len, access)
    }
}

#[cfg(test)]
mod tests {
    use annals::Memory;

    use super::*;

    #[derive(Debug, Default)]
    struct Names(Mutex<Vec<String>>);

    impl Meddler for Names {
        fn sync_data(&self, name: &str, file: &dyn File) -> io::Result<()> {
            self.0.lock().push(name.to_owned());
            file.sync_data()
        }
    }

    #[test]
    fn a_file_is_known_by_the_name_that_it_has_now() {
        let names = Arc::new(Names::default());
        let directory = Meddled::new(Arc::new(Memory::default()), names.clone());
        let file = directory.create("a").unwrap();
        let again = directory.open("a", Access::Read).unwrap();
        file.sync_data().unwrap();
        directory.rename("a", "b").unwrap();
        file.sync_data().unwrap();
        directory.rename("b", "c").unwrap();
        again.sync_data().unwrap();
        assert_eq!(*names.0.lock(), ["a", "b", "c"]);
    }
}

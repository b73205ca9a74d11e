//! The simulated disk as a directory.

use std::{fmt, io, sync::Arc};

use annals_wal::{Access, Directory, File, LockError, WriterLock};
use parking_lot::Mutex;

use crate::{
    content::Content,
    fault::{Fault, Times},
    file::SimFile,
    inode::Inode,
    state::State,
    trace::outcome,
};

/// A simulated disk with one directory. Clones are the same disk.
///
/// The calls that do I/O are numbered from 1, over the directory and all its files: `names`,
/// `create`, `open`, `rename`, `remove` and `sync` of [`Directory`]; `read_at`, `write_at`,
/// `sync_data` and `size` of [`File`].
#[derive(Clone, Default)]
pub struct SimDisk(pub(crate) Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk of unlimited capacity.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk where everything is durable.
    pub(crate) fn durable(
        files: impl Iterator<Item = (String, Content)>,
        capacity: Option<u64>,
    ) -> Self {
        let names = files.map(|(name, content)| (name, Inode::from(content))).collect();
        Self(Arc::new(Mutex::new(State { names, capacity, ..State::default() })))
    }

    /// How many calls there were so far.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Lets a call fail, or every call from that one on. If several faults can meet a call, the
    /// one that was armed first does; an error comes before the others.
    ///
    /// An error of `sync_data` or `sync` does what Linux does: what was not durable can still be
    /// read, but no later sync makes it durable unless it is written again.
    pub fn fail_at(&self, call: u64, fault: Fault, times: Times) {
        self.0.lock().faults.arm(call, fault, times);
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.0.lock().faults.disarm();
    }

    /// How many calls met a fault so far: a sweep over call numbers ends when none did.
    pub fn faults_struck(&self) -> u64 {
        self.0.lock().faults.struck
    }

    /// Limits the sizes of all files together, in bytes: a write that would grow them beyond it
    /// fails with `ENOSPC`. `None` is unlimited.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// Starts or stops recording the calls.
    pub fn record_trace(&self, on: bool) {
        self.0.lock().trace.record(on);
    }

    /// The recorded calls, one line each: number, verb, name; then offset, length and checksum
    /// of the bytes where there are any; then the result.
    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.lines().to_vec()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").finish_non_exhaustive()
    }
}

impl Directory for SimDisk {
    fn lock(&self) -> Result<Box<dyn WriterLock>, LockError> {
        let mut disk = self.0.lock();
        let result = disk.begin();
        disk.end(|| format!("lock {}", outcome(result.as_ref().map(|()| "ok"))));
        result?;
        if disk.locked {
            return Err(LockError::Held { holder: "another writer of this simulation".to_owned() });
        }
        disk.locked = true;
        Ok(Box::new(SimLock(self.0.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut disk = self.0.lock();
        let result = disk.begin().map(|()| disk.names.list());
        disk.end(|| format!("names {}", outcome(result.as_ref().map(|names| names.join(",")))));
        result
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        let result = disk.begin().and_then(|()| disk.names.create(name));
        disk.end(|| format!("create {name} {}", outcome(result.as_ref().map(|_| "ok"))));
        Ok(Arc::new(SimFile::new(self.0.clone(), result?, name, Access::Write)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        let result = disk.begin().and_then(|()| disk.names.get(name));
        disk.end(|| format!("open {name} {access:?} {}", outcome(result.as_ref().map(|_| "ok"))));
        Ok(Arc::new(SimFile::new(self.0.clone(), result?, name, access)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        let result = disk.begin().and_then(|()| disk.names.rename(from, to));
        disk.end(|| format!("rename {from} {to} {}", outcome(result.as_ref().map(|()| "ok"))));
        result
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        let result = disk.begin().and_then(|()| disk.names.remove(name));
        disk.end(|| format!("remove {name} {}", outcome(result.as_ref().map(|()| "ok"))));
        result
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.0.lock();
        let result = sync_names(&mut disk);
        disk.end(|| format!("sync {}", outcome(result.as_ref().map(|()| "ok"))));
        result
    }

    fn display(&self, name: &str) -> String {
        format!("sim:{name}")
    }
}

fn sync_names(disk: &mut State) -> io::Result<()> {
    if let Err(error) = disk.begin() {
        disk.names.abandon();
        return Err(error);
    }
    if !disk.lies() {
        disk.names.sync();
    }
    Ok(())
}

/// Held by the writer.
struct SimLock(Arc<Mutex<State>>);

impl WriterLock for SimLock {}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimLock").finish_non_exhaustive()
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CrashPlan;

    fn durable_names(disk: &SimDisk) -> Vec<String> {
        disk.crash(CrashPlan::durable_only()).file_names()
    }

    #[test]
    fn a_name_without_a_sync_of_the_directory_vanishes_with_its_synced_data() {
        let disk = SimDisk::new();
        let file = disk.create("a").unwrap();
        file.write_at(0, b"data").unwrap();
        file.sync_data().unwrap();
        assert!(durable_names(&disk).is_empty());
        disk.sync().unwrap();
        let after = disk.crash(CrashPlan::durable_only());
        assert_eq!(after.read_file("a").unwrap(), b"data");
    }

    #[test]
    fn a_durable_name_does_not_make_data_durable() {
        let disk = SimDisk::new();
        disk.write_file("a", b"old");
        disk.create("a.new").unwrap().write_at(0, b"new").unwrap();
        disk.rename("a.new", "a").unwrap();
        disk.sync().unwrap();
        let after = disk.crash(CrashPlan::durable_only());
        assert_eq!(after.read_file("a").unwrap(), b"");
    }

    #[test]
    fn renames_and_removes_without_a_sync_are_undone() {
        let disk = SimDisk::new();
        disk.write_file("a", b"A");
        disk.write_file("b", b"B");
        disk.write_file("c", b"C");
        disk.rename("a", "b").unwrap();
        disk.remove("c").unwrap();
        assert_eq!(disk.names().unwrap(), ["b"]);
        let after = disk.crash(CrashPlan::durable_only());
        assert_eq!(after.file_names(), ["a", "b", "c"]);
        assert_eq!(after.read_file("b").unwrap(), b"B");
        disk.sync().unwrap();
        let after = disk.crash(CrashPlan::durable_only());
        assert_eq!(after.file_names(), ["b"]);
        assert_eq!(after.read_file("b").unwrap(), b"A");
    }

    #[test]
    fn a_failed_sync_of_the_directory_loses_names_although_a_later_one_succeeds() {
        let disk = SimDisk::new();
        disk.create("a").unwrap();
        disk.fail_at(2, Fault::EIO, Times::Once);
        disk.sync().unwrap_err();
        disk.sync().unwrap();
        assert!(durable_names(&disk).is_empty());
        disk.remove("a").unwrap();
        disk.create("a").unwrap();
        disk.sync().unwrap();
        assert_eq!(durable_names(&disk), ["a"]);
    }

    #[test]
    fn a_lying_sync_of_the_directory_makes_no_name_durable() {
        let disk = SimDisk::new();
        disk.create("a").unwrap();
        disk.fail_at(1, Fault::LyingSync, Times::Forever);
        disk.sync().unwrap();
        assert!(durable_names(&disk).is_empty());
    }

    #[test]
    fn every_call_can_fail_and_then_has_no_effect() {
        for fault in Fault::ERRORS {
            let disk = SimDisk::new();
            disk.write_file("a", b"A");
            disk.fail_at(1, fault, Times::Forever);
            assert!(disk.names().is_err() && disk.create("b").is_err());
            assert!(disk.open("a", Access::Read).is_err() && disk.sync().is_err());
            assert!(disk.rename("a", "b").is_err() && disk.remove("a").is_err());
            assert_eq!((disk.calls(), disk.faults_struck()), (6, 6));
            assert_eq!(disk.file_names(), ["a"]);
        }
    }

    #[test]
    fn there_is_one_writer_among_clones() {
        let disk = SimDisk::new();
        let lock = disk.lock().unwrap();
        assert!(matches!(disk.clone().lock(), Err(LockError::Held { .. })));
        drop(disk.crash(CrashPlan::everything()).lock().unwrap());
        drop(lock);
        drop(disk.clone().lock().unwrap());
    }

    #[test]
    fn identical_runs_leave_identical_traces() {
        let run = |last: &[u8]| {
            let disk = SimDisk::new();
            disk.record_trace(true);
            disk.fail_at(4, Fault::EIO, Times::Once);
            let file = disk.create("a").unwrap();
            file.write_at(0, b"abc").unwrap();
            file.read_at(1, &mut [0; 8]).unwrap();
            file.sync_data().unwrap_err();
            disk.open("b", Access::Read).unwrap_err();
            file.write_at(3, last).unwrap();
            disk.names().unwrap();
            disk.trace()
        };
        assert_eq!(run(b"d"), run(b"d"));
        assert_ne!(run(b"d"), run(b"e"));
        let trace = run(b"d");
        assert_eq!(trace[0], "1 create a ok");
        assert_eq!(trace[1], "2 write_at a 0 3 e71fa2190541574b 3");
        assert!(trace[2].starts_with("3 read_at a 1 8 ") && trace[2].ends_with(" 2"));
        assert_eq!(trace[3], "4 sync_data a error 5");
        assert_eq!(trace[4], "5 open b Read error NotFound");
        assert_eq!(trace[6], "7 names a");
    }

    #[test]
    fn nothing_is_recorded_unless_asked_for() {
        let disk = SimDisk::new();
        disk.create("a").unwrap();
        assert!(disk.trace().is_empty());
    }
}

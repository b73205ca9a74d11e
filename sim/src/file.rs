//! A handle of a simulated file.

use std::{fmt, io, sync::Arc};

use annals_wal::{Access, File, Map};
use parking_lot::Mutex;

use crate::{
    fault::{EBADF, EFBIG},
    names::Node,
    num::to_u64,
    state::State,
    trace::{checksum, outcome},
};

/// The largest offset of a file on Linux.
const OFFSET_MAX: u64 = i64::MAX.unsigned_abs();

/// A file that was created or opened under `name`, whatever became of the name.
pub(crate) struct SimFile {
    disk: Arc<Mutex<State>>,
    node: Node,
    name: String,
    access: Access,
}

impl SimFile {
    pub(crate) fn new(disk: Arc<Mutex<State>>, node: Node, name: &str, access: Access) -> Self {
        Self { disk, node, name: name.to_owned(), access }
    }

    /// Writes what the faults let through; returns how many bytes.
    fn write(&self, disk: &mut State, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        disk.begin()?;
        if self.access == Access::Read {
            return Err(io::Error::from_raw_os_error(EBADF));
        }
        let (bytes, _) = bytes.split_at(disk.limit_write(bytes.len()));
        let end = offset.checked_add(to_u64(bytes.len())).filter(|end| *end <= OFFSET_MAX);
        let end = end.ok_or_else(|| io::Error::from_raw_os_error(EFBIG))?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let size = self.node.lock().content().size();
        disk.reserve(end.saturating_sub(size))?;
        self.node.lock().write(offset, bytes);
        Ok(bytes.len())
    }

    fn sync(&self, disk: &mut State) -> io::Result<()> {
        if let Err(error) = disk.begin() {
            self.node.lock().abandon();
            return Err(error);
        }
        if !disk.lies() {
            self.node.lock().sync();
        }
        Ok(())
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile")
            .field("name", &self.name)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        let result = disk.begin().map(|()| self.node.lock().content().read_at(offset, out));
        disk.end(|| {
            let read = result.as_ref().ok().and_then(|len| out.get(..*len)).unwrap_or_default();
            let (name, len, sum) = (&self.name, out.len(), checksum(read));
            format!("read_at {name} {offset} {len} {sum:016x} {}", outcome(result.as_ref()))
        });
        result
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        let result = self.write(&mut disk, offset, bytes);
        disk.end(|| {
            let (name, len, sum) = (&self.name, bytes.len(), checksum(bytes));
            format!("write_at {name} {offset} {len} {sum:016x} {}", outcome(result.as_ref()))
        });
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let result = self.sync(&mut disk);
        disk.end(|| {
            let outcome = outcome(result.as_ref().map(|()| "ok"));
            format!("sync_data {} {outcome}", self.name)
        });
        result
    }

    fn size(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        let result = disk.begin().map(|()| self.node.lock().content().size());
        disk.end(|| format!("size {} {}", self.name, outcome(result.as_ref())));
        result
    }

    fn map(&self, _len: u64, _access: Access) -> io::Result<Option<Map>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use annals_wal::Directory;

    use super::*;
    use crate::{CrashPlan, Fault, SimDisk, Times};

    /// A disk with a durable, empty file.
    fn disk() -> (SimDisk, Arc<dyn File>) {
        let disk = SimDisk::new();
        disk.write_file("a", b"");
        let file = disk.open("a", Access::Write).unwrap();
        (disk, file)
    }

    /// The file after the worst crash.
    fn durable(disk: &SimDisk) -> Vec<u8> {
        disk.crash(CrashPlan::durable_only()).read_file("a").unwrap()
    }

    fn next(disk: &SimDisk) -> u64 {
        disk.calls() + 1
    }

    #[test]
    fn a_failed_sync_loses_data_although_a_later_one_succeeds() {
        let (disk, file) = disk();
        file.write_at(0, b"lost").unwrap();
        disk.fail_at(next(&disk), Fault::EIO, Times::Once);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
        file.sync_data().unwrap();
        assert_eq!(disk.read_file("a").unwrap(), b"lost");
        assert_eq!(durable(&disk), b"");
        file.write_at(4, b" kept").unwrap();
        file.sync_data().unwrap();
        assert_eq!(durable(&disk), b"\0\0\0\0 kept");
        file.write_at(0, b"back").unwrap();
        file.sync_data().unwrap();
        assert_eq!(durable(&disk), b"back kept");
    }

    #[test]
    fn a_lying_sync_makes_nothing_durable_until_an_honest_one() {
        let (disk, file) = disk();
        file.write_at(0, b"data").unwrap();
        disk.fail_at(next(&disk), Fault::LyingSync, Times::Once);
        file.sync_data().unwrap();
        assert_eq!(durable(&disk), b"");
        assert_eq!(disk.faults_struck(), 1);
        file.sync_data().unwrap();
        assert_eq!(durable(&disk), b"data");
    }

    #[test]
    fn a_short_write_writes_what_it_says() {
        let (disk, file) = disk();
        disk.fail_at(next(&disk), Fault::ShortWrite(3), Times::Once);
        disk.fail_at(next(&disk) + 1, Fault::ShortWrite(0), Times::Once);
        assert_eq!(file.write_at(0, b"abcdef").unwrap(), 3);
        assert_eq!(file.write_at(3, b"def").unwrap(), 0);
        assert_eq!(disk.read_file("a").unwrap(), b"abc");
        assert_eq!(file.write_at(3, b"def").unwrap(), 3);
        assert_eq!(disk.read_file("a").unwrap(), b"abcdef");
    }

    #[test]
    fn an_error_has_no_effect_and_forever_lasts_until_it_is_cleared() {
        let (disk, file) = disk();
        file.write_at(0, b"old").unwrap();
        disk.fail_at(next(&disk), Fault::ENOSPC, Times::Forever);
        for _ in 0..3 {
            let error = file.write_at(0, b"new").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        assert!(file.read_at(0, &mut [0]).is_err() && file.size().is_err());
        assert_eq!(disk.read_file("a").unwrap(), b"old");
        disk.clear_faults();
        file.write_at(0, b"new").unwrap();
        assert_eq!(disk.read_file("a").unwrap(), b"new");
        assert_eq!((disk.faults_struck(), disk.calls()), (5, 8));
    }

    #[test]
    fn a_full_disk_takes_no_growth_but_overwrites() {
        let (disk, file) = disk();
        disk.write_file("b", &[0; 10]);
        disk.set_capacity(Some(15));
        file.write_at(0, b"12345").unwrap();
        let error = file.write_at(5, b"6").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        file.write_at(0, b"54321").unwrap();
        disk.remove("b").unwrap();
        file.write_at(5, b"6").unwrap();
        disk.set_capacity(Some(1));
        file.write_at(0, b"654321").unwrap();
        disk.set_capacity(None);
        file.write_at(0, &[7; 100]).unwrap();
        assert_eq!(file.size().unwrap(), 100);
    }

    #[test]
    fn a_handle_for_reading_does_not_write_and_no_file_is_endless() {
        let (disk, file) = disk();
        let reader = disk.open("a", Access::Read).unwrap();
        assert_eq!(reader.write_at(0, b"x").unwrap_err().raw_os_error(), Some(EBADF));
        let error = file.write_at(u64::MAX, b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(file.write_at(9, b"").unwrap(), 0);
        assert_eq!(file.size().unwrap(), 0);
        assert!(file.write_at(OFFSET_MAX, b"x").is_err());
        file.write_at(OFFSET_MAX - 1, b"x").unwrap();
        assert_eq!(file.size().unwrap(), OFFSET_MAX);
        assert!(file.map(0, Access::Write).unwrap().is_none());
    }

    #[test]
    fn a_handle_outlives_its_name() {
        let (disk, file) = disk();
        disk.remove("a").unwrap();
        file.write_at(0, b"still here").unwrap();
        let mut out = [0; 5];
        assert_eq!(file.read_at(0, &mut out).unwrap(), 5);
        assert_eq!(&out, b"still");
        assert_eq!(disk.read_file("a"), None);
    }
}

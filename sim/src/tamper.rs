//! What tests do to a disk behind the back of the log: no calls, no faults, durable at once.

use std::io;

use crate::{content::Content, disk::SimDisk, inode::Inode};

impl SimDisk {
    /// The names, sorted.
    pub fn file_names(&self) -> Vec<String> {
        self.0.lock().names.list()
    }

    /// What a reader would see, or `None` if there is no such file.
    pub fn read_file(&self, name: &str) -> Option<Vec<u8>> {
        let node = self.0.lock().names.get(name).ok()?;
        let bytes = node.lock().content().to_vec();
        Some(bytes)
    }

    /// Replaces a file's content; handles of it see the new one. If there is none, creates it:
    /// then all names become durable as they are.
    pub fn write_file(&self, name: &str, bytes: &[u8]) {
        let mut disk = self.0.lock();
        let node = disk.names.get(name).unwrap_or_else(|_| disk.names.create_durable(name));
        *node.lock() = Inode::from(Content::from(bytes));
    }

    /// Flips one bit, 0 to 7, of the byte at `offset`. The file becomes durable as it is.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidInput` if there is no such bit.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) -> io::Result<()> {
        self.edit(name, |content| {
            let mut byte = [0];
            let mask = 1u8.checked_shl(bit.into()).ok_or(io::ErrorKind::InvalidInput)?;
            if content.read_at(offset, &mut byte) == 0 {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            content.write_at(offset, &byte.map(|byte| byte ^ mask));
            Ok(())
        })
    }

    /// Cuts a file, or extends it with zeros. The rest of it becomes durable as it is.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.edit(name, |content| {
            content.set_size(len);
            Ok(())
        })
    }

    fn edit(
        &self,
        name: &str,
        change: impl FnOnce(&mut Content) -> io::Result<()>,
    ) -> io::Result<()> {
        let node = self.0.lock().names.get(name)?;
        let mut inode = node.lock();
        let mut content = inode.content().clone();
        change(&mut content)?;
        *inode = Inode::from(content);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use annals_wal::Directory;

    use super::*;
    use crate::{CrashPlan, Fault, Times};

    fn durable(disk: &SimDisk) -> Vec<u8> {
        disk.crash(CrashPlan::durable_only()).read_file("a").unwrap()
    }

    #[test]
    fn changes_are_durable_and_are_no_calls() {
        let disk = SimDisk::new();
        disk.fail_at(1, Fault::EIO, Times::Forever);
        disk.write_file("a", &[0; 600]);
        disk.flip_bit("a", 512, 7).unwrap();
        assert_eq!(durable(&disk)[512], 128);
        disk.flip_bit("a", 512, 7).unwrap();
        assert_eq!(durable(&disk), [0; 600]);
        disk.truncate("a", 3).unwrap();
        assert_eq!(durable(&disk), [0; 3]);
        disk.write_file("a", b"new");
        assert_eq!(durable(&disk), b"new");
        assert_eq!(disk.file_names(), ["a"]);
        assert_eq!(disk.calls(), 0);
    }

    #[test]
    fn a_new_file_makes_all_names_durable() {
        let disk = SimDisk::new();
        disk.write_file("a", b"old");
        disk.rename("a", "b").unwrap();
        disk.write_file("a", b"new");
        for plan in [CrashPlan::durable_only(), CrashPlan::everything()] {
            let after = disk.crash(plan);
            assert_eq!(after.read_file("a").unwrap(), b"new");
            assert_eq!(after.read_file("b").unwrap(), b"old");
        }
    }

    #[test]
    fn handles_see_the_change() {
        let disk = SimDisk::new();
        let file = disk.create("a").unwrap();
        disk.write_file("a", b"new");
        assert_eq!(file.size().unwrap(), 3);
    }

    #[test]
    fn what_is_not_there_cannot_be_changed() {
        let disk = SimDisk::new();
        disk.write_file("a", b"a");
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(disk.flip_bit("b", 0, 0)), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.flip_bit("a", 1, 0)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(disk.flip_bit("a", 0, 8)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(disk.truncate("b", 0)), io::ErrorKind::NotFound);
        assert_eq!(disk.read_file("b"), None);
    }
}

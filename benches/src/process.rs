//! What this process takes of the machine.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use crate::number::per;

/// Seconds that all threads spent on cores so far.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

/// Memory of this process, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProcessMemory {
    /// Its own: the heap, stacks.
    pub(crate) own: u64,
    /// Of files that it has mapped: the page cache, which the system takes back when it needs to.
    pub(crate) mapped: u64,
}

/// 0 where the system does not say.
pub(crate) fn memory() -> ProcessMemory {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Vec<u64> = statm.split_whitespace().filter_map(|pages| pages.parse().ok()).collect();
    let page = crate::number::wide(rustix::param::page_size());
    let bytes = |index: usize| pages.get(index).copied().unwrap_or_default() * page;
    let (resident, mapped) = (bytes(1), bytes(2));
    ProcessMemory { own: resident.saturating_sub(mapped), mapped }
}

/// The most memory that this process had, mapped files included, in bytes. `None` where the system
/// does not say.
pub(crate) fn peak_memory() -> Option<u64> {
    let kib = field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")?;
    Some(kib * 1024)
}

/// Counts the most memory from now on, where the system knows how (`proc_pid_clear_refs(5)`).
pub(crate) fn forget_peak_memory() {
    // Without it, preparing counts as well.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// Bytes that a process, and children of it that ended, had the system write. `None` where the
/// system does not say, or not to this user.
pub(crate) fn written_bytes(process: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{process}/io")).ok()?, "write_bytes:")
}

/// The number in the line that begins with a name.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How many threads this process has. 0 where the system does not say.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Processor time of each of `count` things, in microseconds.
pub(crate) fn cpu_micros_per(before: f64, count: u64) -> f64 {
    per((cpu_seconds() - before) * 1e6, count)
}

/// Waits; nothing else has to happen meanwhile.
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let text = "cancelled_write_bytes: 5\nwrite_bytes: 4096\nVmHWM:\t  12 kB\n";
        assert_eq!(field(text, "write_bytes:"), Some(4096));
        assert_eq!(field(text, "VmHWM:"), Some(12));
        assert_eq!(field(text, "VmPeak:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_most_memory_is_at_least_what_there_is() {
        let memory = memory();
        assert!(peak_memory().unwrap() >= memory.own / 2, "{memory:?}");
        assert!(written_bytes(std::process::id()).is_some());
    }
}

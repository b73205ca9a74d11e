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

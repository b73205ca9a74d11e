//! What all cases of a part have in common.

use std::{fmt, time::Duration};

use crate::{error::BenchError, latency::Latency, scratch::Scratch};

/// Something that can be measured again and again, each time with new files.
pub(crate) trait Trial: fmt::Display {
    /// What is counted in a second.
    fn unit(&self) -> &'static str;

    /// Measures for a while; leaves no file behind.
    ///
    /// # Errors
    /// [`BenchError::NotAvailable`]: this system does not do that; else the run ends.
    fn measure(&self, length: Duration, scratch: &Scratch) -> Result<Sample, BenchError>;

    /// What the mean of [`Sample::extra`] says.
    fn remark(&self, extra: f64) -> String;
}

/// What one measurement gave.
#[derive(Debug)]
pub(crate) struct Sample {
    /// In the trial's unit.
    pub(crate) rate: f64,
    pub(crate) latency: Latency,
    /// Another number, of which the trial knows the meaning.
    pub(crate) extra: f64,
}

/// A trial, and the name of what it is compared with.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) base: Option<String>,
    pub(crate) trial: Box<dyn Trial>,
}

impl Case {
    pub(crate) fn new<T: Trial + 'static>(trial: T, base: Option<&T>) -> Self {
        let (name, base) = (trial.to_string(), base.map(ToString::to_string));
        Self { name, base, trial: Box::new(trial) }
    }
}

/// How many bytes each write of D1 and D2 has.
pub(crate) const WRITE_BYTES: [usize; 5] = [256, 4 << 10, 16 << 10, 128 << 10, 1 << 20];

/// For people, in binary units.
pub(crate) fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        _ if !count.is_multiple_of(1 << 20) => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_binary_units() {
        let written = [256, 4096, 348_160, 1 << 20, 1400 << 10, 64 << 20].map(bytes);
        assert_eq!(written, ["256 B", "4 KiB", "340 KiB", "1 MiB", "1400 KiB", "64 MiB"]);
    }
}

//! What the disk itself can do: one caller that overwrites 4 KiB and syncs, again and again.

use std::{
    error::Error,
    fmt,
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

/// Rate and latency of a raw write + fdatasync.
pub(crate) struct Yardstick {
    /// How many a second.
    pub(crate) rate: f64,
    p50: u64,
    p95: u64,
}

/// A file that is removed again.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody misses it, and the next run uses another name.
        drop(std::fs::remove_file(&self.0));
    }
}

/// Measures for `time`, in a file of its own in the log's directory.
///
/// # Errors
/// As the system says.
pub(crate) fn measure(
    dir: &Path,
    time: Duration,
) -> Result<Yardstick, Box<dyn Error + Send + Sync>> {
    let scratch = Scratch(dir.join(format!("yardstick-{}", std::process::id())));
    let file = OpenOptions::new().write(true).create_new(true).open(&scratch.0)?;
    let block = [0x5A; 4096];
    for page in 0..256 {
        file.write_all_at(&block, page * 4096)?;
    }
    file.sync_all()?;
    let mut latency = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?;
    let (start, mut page) = (Instant::now(), 0);
    while start.elapsed() < time {
        let begin = Instant::now();
        file.write_all_at(&block, page % 256 * 4096)?;
        file.sync_data()?;
        latency.saturating_record(u64::try_from(begin.elapsed().as_micros())?);
        page += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = latency.len() as f64 / seconds;
    Ok(Yardstick {
        rate,
        p50: latency.value_at_quantile(0.5),
        p95: latency.value_at_quantile(0.95),
    })
}

impl fmt::Display for Yardstick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, p50, p95 } = self;
        write!(f, "{rate:.0} x (4 KiB write + fdatasync)/s by one caller, p50 {p50} p95 {p95} us")
    }
}

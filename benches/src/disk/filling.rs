//! D4: what filling new files costs those who write.

use std::{
    fmt,
    fs::File,
    os::unix::fs::FileExt,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Release},
    },
    thread::{self, Thread},
    time::Duration,
};

use crate::{
    disk::{
        case::{Sample, Trial, bytes},
        prepared::{self, Offsets, PIECE_BYTES, SEGMENT_BYTES},
        timed::Timed,
    },
    error::BenchError,
    number::{float, human, per, wide},
    scratch::Scratch,
};

/// Groups of one size, and zeroes beside them.
#[derive(Debug)]
pub(crate) struct Filling {
    group_bytes: usize,
    /// After how many bytes zeroes are synced; `None`: nothing is filled.
    sync_bytes: Option<usize>,
}

const GROUP_BYTES: [usize; 4] = [100 << 10, 340 << 10, 700 << 10, 1400 << 10];

impl Filling {
    /// Each with its base.
    pub(crate) fn all() -> Vec<(Self, Option<Self>)> {
        let of = |group_bytes| {
            [None, Some(1 << 20), Some(4 << 20), Some(64 << 20)].map(|sync_bytes| {
                let base = sync_bytes.map(|_| Self { group_bytes, sync_bytes: None });
                (Self { group_bytes, sync_bytes }, base)
            })
        };
        GROUP_BYTES.into_iter().flat_map(of).collect()
    }
}

/// How far the writer and the filler are. Each is unparked after the other's number has risen.
#[derive(Debug)]
struct Pace {
    written: AtomicU64,
    /// Greater than anything written, when there will be no more.
    filled: AtomicU64,
    is_over: AtomicBool,
    writer: Thread,
}

impl Pace {
    /// This thread is the writer.
    fn new() -> Self {
        let [written, filled] = [(); 2].map(|()| AtomicU64::new(0));
        Self { written, filled, is_over: AtomicBool::new(false), writer: thread::current() }
    }

    /// Returns when the writer is at most a file ahead.
    fn wait_for_filling(&self) {
        // Acquire pairs with the Release in `set_filled`.
        while self.written.load(Acquire) > self.filled.load(Acquire).saturating_add(SEGMENT_BYTES) {
            thread::park();
        }
    }

    fn set_filled(&self, filled: u64) {
        self.filled.store(filled, Release);
        self.writer.unpark();
    }

    /// As [`Pace::fill`]; afterwards nobody waits for it.
    fn fill_until_over(&self, sync_bytes: u64, scratch: &Scratch) -> Result<u64, BenchError> {
        let filled = self.fill(sync_bytes, scratch);
        self.set_filled(u64::MAX);
        filled
    }

    /// Fills new files with as many bytes as are written, until that is over; returns how many.
    fn fill(&self, sync_bytes: u64, scratch: &Scratch) -> Result<u64, BenchError> {
        let zeroes = vec![0; PIECE_BYTES];
        let mut filled = 0;
        let mut files: Vec<File> = Vec::new();
        let path = |number: usize| scratch.path(&format!("filled-{number}"));
        // Acquire pairs with the Release of the writer, who unparks after it.
        while !self.is_over.load(Acquire) {
            if filled >= self.written.load(Acquire) {
                thread::park();
                continue;
            }
            let offset = filled % SEGMENT_BYTES;
            if offset == 0 {
                files.push(prepared::create(&path(files.len()))?);
            }
            let Some(file) = files.last() else { continue };
            filled += wide(zeroes.len());
            let is_due = filled.is_multiple_of(sync_bytes);
            let written = file.write_all_at(&zeroes, offset);
            let synced = written.and_then(|()| if is_due { file.sync_data() } else { Ok(()) });
            synced.map_err(BenchError::of_file("fill", &path(files.len() - 1)))?;
            self.set_filled(filled);
        }
        (0..files.len()).try_for_each(|number| prepared::remove(&path(number)))?;
        Ok(filled)
    }
}

impl Trial for Filling {
    fn unit(&self) -> &'static str {
        "groups/s"
    }

    fn measure(&self, length: Duration, scratch: &Scratch) -> Result<Sample, BenchError> {
        let (path, payload) = (scratch.path("written"), vec![0xA5; self.group_bytes]);
        let (file, len) = (prepared::zeroes(&path, PIECE_BYTES)?, wide(self.group_bytes));
        let (mut timed, mut offsets, pace) = (Timed::new()?, Offsets::default(), Pace::new());
        let filled = thread::scope(|scope| {
            let pace = &pace;
            let beside = |bytes| scope.spawn(move || pace.fill_until_over(bytes, scratch));
            let filler = self.sync_bytes.map(wide).map(beside);
            let unpark = || filler.iter().for_each(|filler| filler.thread().unpark());
            let written = timed.repeat(length, u64::MAX, || {
                file.write_all_at(&payload, offsets.next(len))?;
                file.sync_data()?;
                pace.written.fetch_add(len, Release);
                unpark();
                if filler.is_some() {
                    pace.wait_for_filling();
                }
                Ok(())
            });
            pace.is_over.store(true, Release);
            unpark();
            let ended = filler.map(|filler| filler.join().map_err(|_| BenchError::Panicked)?);
            written.map_err(BenchError::of_file("write to", &path))?;
            ended.unwrap_or(Ok(0))
        })?;
        prepared::remove(&path)?;
        let share = per(float(filled), pace.written.into_inner());
        Ok(Sample { extra: share, ..timed.sample() })
    }

    fn remark(&self, extra: f64) -> String {
        self.sync_bytes.map(|_| format!("filled {}", human(extra))).unwrap_or_default()
    }
}

impl fmt::Display for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", bytes(self.group_bytes))?;
        match self.sync_bytes {
            None => f.write_str("alone"),
            Some(sync_bytes) => write!(f, "filling, synced every {}", bytes(sync_bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;

    #[test]
    fn filling_stays_beside_writing_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(directory.path(), &Interrupt::listen().unwrap()).unwrap();
        for sync_bytes in [None, Some(1 << 20)] {
            let trial = Filling { group_bytes: 1400 << 10, sync_bytes };
            let sample = trial.measure(Duration::from_millis(200), &scratch).unwrap();
            assert!(sample.rate > 0.0);
            // Never more than a piece ahead of the writer, who has written a group at least.
            assert!(sample.extra < 1.2, "{}", sample.extra);
            assert_eq!(sync_bytes.is_none(), sample.extra == 0.0);
            assert_eq!(std::fs::read_dir(scratch.path("")).unwrap().count(), 0);
        }
    }
}

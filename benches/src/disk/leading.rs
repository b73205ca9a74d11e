//! D3: who writes for many callers.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use crate::{
    disk::{
        case::{Sample, Trial},
        group::{Group, Lead},
        prepared::{self, PIECE_BYTES},
    },
    error::BenchError,
    latency::{Latency, merge},
    number::{float, human, per},
    scratch::Scratch,
    window::Window,
};

/// Threads that each wait for their own records.
#[derive(Debug)]
pub(crate) struct Leading {
    lead: Lead,
    threads: usize,
}

/// What a single event of 100 bytes takes in the log.
const RECORD_BYTES: usize = 184;

const BASE: Lead = Lead::Leader;

const LEADS: [Lead; 4] = [BASE, Lead::GroupFirst, Lead::TwoSyncs, Lead::Dedicated];

impl Leading {
    /// Each with its base.
    pub(crate) fn all() -> Vec<(Self, Option<Self>)> {
        let of = |threads| {
            LEADS.map(|lead| {
                (Self { lead, threads }, (lead != BASE).then_some(Self { lead: BASE, threads }))
            })
        };
        [1, 16, 100].into_iter().flat_map(of).collect()
    }

    /// Has all threads append; returns how long each append of each thread took, and how many
    /// there were, those of the warm-up included.
    fn append(&self, group: &Group, window: Window) -> Result<Vec<(Latency, u64)>, BenchError> {
        thread::scope(|scope| {
            if self.lead == Lead::Dedicated {
                scope.spawn(|| group.write_for_all());
            }
            let call = |_| scope.spawn(|| call(group, window));
            let callers: Vec<_> = (0..self.threads).map(call).collect();
            let ended: Vec<_> = callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            group.stop();
            ended.into_iter().map(|ended| ended.map_err(|_| BenchError::Panicked)?).collect()
        })
    }
}

fn call(group: &Group, window: Window) -> Result<(Latency, u64), BenchError> {
    let record = [0xA5; RECORD_BYTES];
    let (mut latency, mut count) = (Latency::new()?, 0);
    let mut now = Instant::now();
    while !window.is_over(now) && group.append(&record) {
        let before = std::mem::replace(&mut now, Instant::now());
        count += 1;
        if window.has(now) {
            latency.record(now - before);
        }
    }
    Ok((latency, count))
}

impl Trial for Leading {
    fn unit(&self) -> &'static str {
        "records/s"
    }

    fn measure(&self, length: Duration, scratch: &Scratch) -> Result<Sample, BenchError> {
        let path = scratch.path("led");
        let group = Group::new(prepared::zeroes(&path, PIECE_BYTES)?, self.lead);
        let window = Window::new(length / 4, length);
        let callers = self.append(&group, window)?;
        let groups = group.end().map_err(BenchError::of_file("write to", &path))?;
        prepared::remove(&path)?;
        let latency = merge(callers.iter().map(|(latency, _)| latency))?;
        let rate = float(latency.count()) / window.seconds();
        let records = callers.iter().map(|(_, count)| *count).sum();
        Ok(Sample { rate, latency, extra: per(float(records), groups) })
    }

    fn remark(&self, extra: f64) -> String {
        format!("{} records a group", human(extra))
    }
}

impl fmt::Display for Leading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        let lead = match self.lead {
            Lead::Leader => "leader",
            Lead::GroupFirst => "leader, group first",
            Lead::TwoSyncs => "two syncs",
            Lead::Dedicated => "dedicated",
        };
        write!(f, "{} {threads}, {lead}", self.threads)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt};

    use super::*;

    fn group(directory: &tempfile::TempDir, lead: Lead) -> Group {
        let path = directory.path().join("file");
        Group::new(File::create_new(path).unwrap(), lead)
    }

    #[test]
    fn every_record_is_written_once_before_it_is_acknowledged() {
        for lead in LEADS {
            let directory = tempfile::tempdir().unwrap();
            let group = group(&directory, lead);
            let file = File::open(directory.path().join("file")).unwrap();
            thread::scope(|scope| {
                if lead == Lead::Dedicated {
                    scope.spawn(|| group.write_for_all());
                }
                let (group, file) = (&group, &file);
                let call = |number: u8| {
                    for _ in 0..50 {
                        assert!(group.append(&[number; 3]));
                    }
                    let mut bytes = vec![0; 8 * 50 * 3];
                    let read = file.read_at(&mut bytes, 0).unwrap();
                    let own =
                        bytes[..read].chunks(3).filter(|record| *record == [number; 3]).count();
                    assert_eq!(own, 50, "{lead:?}");
                };
                let callers: Vec<_> = (1..=8).map(|n| scope.spawn(move || call(n))).collect();
                let ended: Vec<_> =
                    callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
                group.stop();
                assert!(ended.iter().all(Result::is_ok), "{lead:?}");
            });
            let groups = group.end().unwrap();
            assert!((50..=400).contains(&groups), "{lead:?}: {groups}");
            let len = std::fs::metadata(directory.path().join("file")).unwrap().len();
            assert_eq!(len, 8 * 50 * 3, "{lead:?}: every group is behind the one before");
        }
    }

    #[test]
    fn a_write_that_fails_ends_all_callers() {
        for lead in LEADS {
            let directory = tempfile::tempdir().unwrap();
            drop(group(&directory, lead));
            let read_only = File::open(directory.path().join("file")).unwrap();
            let group = Group::new(read_only, lead);
            let window = Window::new(Duration::ZERO, Duration::from_mins(1));
            let callers = Leading { lead, threads: 8 }.append(&group, window).unwrap();
            assert!(callers.iter().all(|(_, count)| *count == 0), "{lead:?}");
            group.end().unwrap_err();
        }
    }
}

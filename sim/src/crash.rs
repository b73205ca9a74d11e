//! Power failures: which disks may be left behind.

use crate::{
    disk::SimDisk,
    inode::Fill,
    num::{to_u64, to_usize},
    random::Random,
};

/// What survives a crash of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPlan {
    survival: Survival,
    fill: Fill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survival {
    Nothing,
    Everything,
    Seeded(u64),
}

impl CrashPlan {
    /// Nothing: the most that a disk may forget.
    pub const fn durable_only() -> Self {
        Self { survival: Survival::Nothing, fill: Fill::Zeros }
    }

    /// Everything: as if only the process was killed.
    pub const fn everything() -> Self {
        Self { survival: Survival::Everything, fill: Fill::Zeros }
    }

    /// Any of it, as the seed says: the same seed on the same disk gives the same crash.
    pub const fn seeded(seed: u64) -> Self {
        Self { survival: Survival::Seeded(seed), fill: Fill::Zeros }
    }

    /// The same, with this in new bytes whose size survives and whose content does not.
    #[must_use]
    pub const fn filled(self, fill: Fill) -> Self {
        Self { fill, ..self }
    }
}

impl SimDisk {
    /// A disk as it could be after a power failure at this moment: all of it durable, unlocked,
    /// without faults and trace, of the same capacity. This disk stays as it is.
    #[must_use]
    pub fn crash(&self, plan: CrashPlan) -> Self {
        let mut dice = Dice::new(plan.survival);
        self.crash_by(plan.fill, &mut |options| dice.pick(options))
    }

    /// Like [`SimDisk::crash`], for tests that try every possible crash. `choose` is asked how
    /// each thing survives that was not synced: first the changes of names, newest first; then,
    /// for each file that has a name left, its size, then each sector. It gets the number of
    /// options, at least 2, and returns one, counted from 0: 0 is what is durable, the last one
    /// the newest.
    #[must_use]
    pub fn crash_by(&self, fill: Fill, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut choose = |options: usize| match options.checked_sub(1) {
            None | Some(0) => 0,
            Some(newest) => choose(options).min(newest),
        };
        let disk = self.0.lock();
        let names = disk.names.crashed(&mut choose).into_iter();
        let files = names.map(|(name, node)| (name, node.lock().crashed(fill, &mut choose)));
        Self::durable(files, disk.capacity)
    }
}

/// How likely things survive, in eighths, and when that changes: long runs of luck and of
/// misfortune leave neighbours all new or all old, which even odds would hardly do.
const ODDS: u64 = 8;
const PICKS_PER_CHANGE: u64 = 16;

/// Chooses as a plan says.
struct Dice {
    survival: Survival,
    random: Random,
    odds: u64,
}

impl Dice {
    fn new(survival: Survival) -> Self {
        let seed = if let Survival::Seeded(seed) = survival { seed } else { 0 };
        let mut random = Random::new(seed);
        let odds = random.below(ODDS + 1);
        Self { survival, random, odds }
    }

    fn pick(&mut self, options: usize) -> usize {
        match self.survival {
            Survival::Nothing => 0,
            Survival::Everything => options - 1,
            Survival::Seeded(_) => self.roll(options),
        }
    }

    fn roll(&mut self, options: usize) -> usize {
        if self.random.below(PICKS_PER_CHANGE) == 0 {
            self.odds = self.random.below(ODDS + 1);
        }
        if self.random.below(ODDS) >= self.odds {
            return 0;
        }
        1 + to_usize(self.random.below(to_u64(options - 1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use annals_wal::Directory;

    use super::*;
    use crate::{Fault, Times};

    const OLD: [u8; 2000] = [1; 2000];
    const NEW: [u8; 3000] = [2; 3000];

    /// A file of old bytes, with new ones over it that are not synced.
    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.write_file("a", &OLD);
        let file = disk.open("a", annals_wal::Access::Write).unwrap();
        file.write_at(0, &NEW).unwrap();
        disk
    }

    fn after(disk: &SimDisk, plan: CrashPlan) -> Vec<u8> {
        disk.crash(plan).read_file("a").unwrap()
    }

    #[test]
    fn nothing_or_everything_survives() {
        let disk = disk();
        assert_eq!(after(&disk, CrashPlan::durable_only()), OLD);
        assert_eq!(after(&disk, CrashPlan::everything()), NEW);
        let greedy = disk.crash_by(Fill::Zeros, &mut |_| usize::MAX);
        assert_eq!(greedy.read_file("a").unwrap(), NEW);
    }

    #[test]
    fn the_same_seed_gives_the_same_crash() {
        let disk = disk();
        let crash = |seed| after(&disk, CrashPlan::seeded(seed));
        assert!((0..50).all(|seed| crash(seed) == crash(seed)));
        let different: BTreeSet<_> = (0..50).map(crash).collect();
        assert!(different.len() > 10);
    }

    #[test]
    fn seeds_tear_a_write_between_sectors_and_only_there() {
        let disk = disk();
        let mut torn = 0;
        for seed in 0..200 {
            let bytes = after(&disk, CrashPlan::seeded(seed));
            assert!(bytes.len() == OLD.len() || bytes.len() == NEW.len());
            for (sector, old) in bytes.chunks(512).zip(OLD.chunks(512)) {
                let new = sector.iter().all(|byte| *byte == 2);
                assert!(new || sector[..old.len()] == *old);
            }
            torn += usize::from(bytes[..512] != bytes[512..1024]);
        }
        assert!(torn > 20, "{torn}");
    }

    #[test]
    fn seeds_also_leave_everything_and_nothing() {
        let disk = disk();
        let crashes: BTreeSet<_> =
            (0..200).map(|seed| after(&disk, CrashPlan::seeded(seed))).collect();
        assert!(crashes.contains(&OLD[..]) && crashes.contains(&NEW[..]));
    }

    #[test]
    fn luck_runs_out() {
        let disk = SimDisk::new();
        disk.write_file("a", &[1; 32 * 512]);
        let file = disk.open("a", annals_wal::Access::Write).unwrap();
        file.write_at(0, &[2; 32 * 512]).unwrap();
        let half = |seed| {
            let bytes = after(&disk, CrashPlan::seeded(seed));
            bytes[..12 * 512] == [2; 12 * 512] && bytes[20 * 512..] == [1; 12 * 512]
        };
        assert!((0..4000).any(half));
    }

    #[test]
    fn lost_bytes_of_a_larger_file_are_zeros_or_stale() {
        let disk = disk();
        let lost = |fill| {
            let crash = |seed| after(&disk, CrashPlan::seeded(seed).filled(fill));
            let grown = (0..200).map(crash).filter(|bytes| bytes.len() == NEW.len());
            grown.filter(|bytes| bytes[2048..2560] != [2; 512]).collect::<Vec<_>>()
        };
        let (zeros, stale) = (lost(Fill::Zeros), lost(Fill::Stale));
        assert!(!zeros.is_empty() && !stale.is_empty());
        assert!(zeros.iter().all(|bytes| bytes[2048..2560] == [0; 512]));
        assert!(stale.iter().all(|bytes| bytes.iter().all(|byte| *byte != 0)));
    }

    #[test]
    fn names_survive_in_every_subset() {
        let disk = SimDisk::new();
        disk.write_file("a", b"");
        disk.write_file("b", b"");
        disk.rename("a", "c").unwrap();
        disk.remove("b").unwrap();
        disk.create("d").unwrap();
        let names = |seed| disk.crash(CrashPlan::seeded(seed)).file_names();
        assert_eq!((0..200).map(names).collect::<BTreeSet<_>>().len(), 8);
    }

    #[test]
    fn every_crash_can_be_tried() {
        let disk = disk();
        let mut states = BTreeSet::new();
        // The size, and 6 sectors.
        for picks in 0..1 << 7 {
            let mut picks = picks;
            let after = disk.crash_by(Fill::Zeros, &mut |options| {
                let pick = picks % options;
                picks /= options;
                pick
            });
            states.insert(after.read_file("a"));
        }
        // The old size cuts the 2 sectors behind the durable ones.
        assert_eq!(states.len(), (1 << 6) + (1 << 4));
    }

    #[test]
    fn the_crashed_disk_is_durable_and_without_faults() {
        let disk = disk();
        disk.record_trace(true);
        disk.set_capacity(Some(9000));
        disk.fail_at(1, Fault::EIO, Times::Forever);
        let crashed = disk.crash(CrashPlan::everything());
        assert_eq!(crashed.calls(), 0);
        assert_eq!(after(&crashed, CrashPlan::durable_only()), NEW);
        let file = crashed.create("b").unwrap();
        assert!(file.write_at(0, &[0; 9000]).is_err());
        assert!(crashed.trace().is_empty());
        assert_eq!(disk.file_names(), ["a"]);
    }
}

//! Everything, in one go: power cuts on each filesystem, failing and full disks, planted defects.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    campaign::{Campaign, Tally},
    error::PowercutError,
    evidence,
    filesystem::Filesystem,
    plant::Plant,
    plants,
    progress::Progress,
    report::Report,
    shut_down,
    trials::{TrialTally, Trials},
    workload,
};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// States of each filesystem.
    pub(crate) states: [(Filesystem, u64); 3],
    /// Requests of each sort that fail, on each filesystem.
    pub(crate) failures: u64,
}

/// For every run of the gate.
pub(crate) const CI: Extent = Extent {
    states: [(Filesystem::Ext4, 20_000), (Filesystem::Xfs, 1_500), (Filesystem::Btrfs, 600)],
    failures: 12,
};

/// Before a release.
pub(crate) const DEEP: Extent = Extent {
    states: [(Filesystem::Ext4, 1_000_000), (Filesystem::Xfs, 50_000), (Filesystem::Btrfs, 20_000)],
    failures: 150,
};

impl Extent {
    /// So many hundredths of it, and never nothing.
    pub(crate) fn percent(self, percent: u64) -> Self {
        let part = |whole: u64| (whole * percent / 100).max(1);
        Self {
            states: self.states.map(|(filesystem, states)| (filesystem, part(states))),
            failures: part(self.failures),
        }
    }
}

/// Whoever goes through everything.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// Where recordings of broken promises are kept.
    pub(crate) failures: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) report: Report,
}

/// How many random subsets of the unflushed sectors there are at each boundary.
pub(crate) const SUBSETS: u64 = 4;

/// Where it ends early: more broken promises tell no more.
const FINDINGS_MAX: usize = 5;

/// States that a filesystem does not outlive torn, in hundredths of all: those of xfs were 4 to 8 in
/// five runs. Many more would be a mistake of the recorder.
const NOT_TORN_PERCENT_MAX: u64 = 20;

impl Gate {
    /// Goes through everything; what is wrong is in the report.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn run(&mut self, extent: &Extent) -> Result<(), PowercutError> {
        for (filesystem, wanted) in extent.states {
            self.cut_power(filesystem, wanted)?;
        }
        for filesystem in Filesystem::ALL {
            self.fail_disks(filesystem, extent.failures)?;
        }
        self.plant_defects(&Plant::ALL, &Filesystem::ALL)
    }

    /// Cuts the power so many times; returns what was examined.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn cut_power(
        &mut self,
        filesystem: Filesystem,
        wanted: u64,
    ) -> Result<Tally, PowercutError> {
        let campaign = Campaign {
            filesystem,
            workloads: workload::ALL.to_vec(),
            seed: self.seed,
            wanted,
            subsets: SUBSETS,
            workers: self.workers,
            plant: None,
            findings_max: FINDINGS_MAX,
        };
        let start = Instant::now();
        let progress = Progress::new(filesystem.name(), wanted);
        let outcome = self.run_campaign(&campaign, &progress);
        drop(progress);
        let tally = self.report.keep(outcome)?.unwrap_or_default();
        self.report.add_power_cuts(filesystem, &tally, start.elapsed());
        if tally.states < wanted && tally.findings.is_empty() {
            let (filesystem, made) = (filesystem.name(), tally.states);
            self.report.complain(&PowercutError::TooFew { filesystem, made, wanted });
        }
        if tally.not_torn * 100 > tally.states * NOT_TORN_PERCENT_MAX {
            let (count, name) = (tally.not_torn, filesystem.name());
            let what = format!("{name} did not outlive {count} states of {}", tally.states);
            self.report.complain(&PowercutError::BrokenWord(what));
        }
        let found = evidence::keep(&tally.findings, &self.failures);
        self.report.keep(found)?;
        Ok(tally)
    }

    fn run_campaign(
        &self,
        campaign: &Campaign,
        progress: &Progress,
    ) -> Result<Tally, PowercutError> {
        campaign.run(&self.scratch, progress)
    }

    /// Lets disks fail and fill up.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn fail_disks(
        &mut self,
        filesystem: Filesystem,
        count: u64,
    ) -> Result<(), PowercutError> {
        let (seed, workers) = (self.seed, self.workers);
        let trials = Trials { filesystem, seed, count, workers, plant: None };
        let start = Instant::now();
        let progress = Progress::new(filesystem.name(), trials.len());
        progress.now("failing and full disks");
        let outcome = trials.run(&self.scratch, &progress);
        drop(progress);
        let tally: TrialTally = self.report.keep(outcome)?.unwrap_or_default();
        self.report.add_failures(filesystem, &tally, start.elapsed());
        let found = evidence::keep(&tally.findings, &self.failures);
        self.report.keep(found)?;
        if filesystem.shuts_down() {
            let refused = shut_down::refuses(filesystem, &self.scratch);
            self.report.keep(refused)?;
        }
        Ok(())
    }

    /// Plants defects.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn plant_defects(
        &mut self,
        plants: &[Plant],
        filesystems: &[Filesystem],
    ) -> Result<(), PowercutError> {
        for plant in plants {
            for filesystem in filesystems {
                let start = Instant::now();
                let (seed, workers) = (self.seed, self.workers);
                let verdict = plants::plant(*plant, *filesystem, seed, workers, &self.scratch)?;
                self.report.add_plant(&verdict, start.elapsed());
                if !verdict.is_right() {
                    self.report.complain(&PowercutError::NotNoticed(verdict.line()));
                }
            }
        }
        Ok(())
    }
}

/// A directory for the recordings of broken promises, named from where the program was started.
///
/// # Errors
/// As the system says.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, PowercutError> {
    std::path::absolute(path).map_err(PowercutError::io("find a directory"))
}

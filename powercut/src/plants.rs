//! Plants each defect on each filesystem, and sees whether it is noticed. A check that cannot fail
//! proves nothing.

use std::path::Path;

use crate::{
    campaign::Campaign, error::PowercutError, evidence, filesystem::Filesystem, plant::Plant,
    progress::Progress, trials::Trials, workload,
};

/// How a planted defect fared.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) plant: Plant,
    pub(crate) filesystem: Filesystem,
    /// How many states were examined.
    pub(crate) states: u64,
    /// How it was noticed, if it was.
    pub(crate) noticed: Option<String>,
}

/// How many states are examined until a defect counts as not noticed.
const STATES_MAX: u64 = 1000;

/// How many states of a harmless plant are examined.
const HARMLESS_STATES: u64 = 100;

/// How many requests of each sort fail until a defect counts as not noticed.
const FAILURES_MAX: u64 = 20;

/// Plants a defect.
///
/// # Errors
/// The system refuses.
pub(crate) fn plant(
    plant: Plant,
    filesystem: Filesystem,
    seed: u64,
    workers: usize,
    scratch: &Path,
) -> Result<Verdict, PowercutError> {
    let progress = Progress::new(filesystem.name(), STATES_MAX);
    progress.now(plant.name());
    let outcome = if plant.needs_failures() {
        let count = FAILURES_MAX;
        let trials = Trials { filesystem, seed, count, workers, plant: Some(plant) };
        trials.run(scratch, &progress).map(|tally| (tally.states, tally.findings))
    } else {
        let campaign = Campaign {
            filesystem,
            workloads: workload::ALL.to_vec(),
            seed,
            wanted: if plant.is_harmful() { STATES_MAX } else { HARMLESS_STATES },
            subsets: 4,
            workers,
            plant: Some(plant),
            findings_max: 1,
        };
        campaign.run(scratch, &progress).map(|tally| (tally.states, tally.findings))
    };
    let (states, noticed) = match outcome {
        Ok((states, findings)) => (states, findings.first().map(evidence::describe)),
        Err(PowercutError::Broken { first, .. }) => (0, Some(first)),
        Err(error) => return Err(error),
    };
    Ok(Verdict { plant, filesystem, states, noticed })
}

impl Verdict {
    /// Whether it is as it should be: harm is noticed, and nothing else is.
    pub(crate) fn is_right(&self) -> bool {
        self.noticed.is_some() == self.plant.is_harmful()
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let name = format!("{} on {}", self.plant.name(), self.filesystem.name());
        let states = self.states;
        match (&self.noticed, self.plant.is_harmful()) {
            (Some(how), true) => format!("{name}: noticed within {states} states: {how}"),
            (None, false) => format!("{name}: harmless, as it should be, in {states} states"),
            (None, true) => format!("{name}: NOT NOTICED in {states} states"),
            (Some(how), false) => format!("{name}: harmless, and yet: {how}"),
        }
    }
}

//! What was tried and what came of it, for people: printed while it goes on, and written to a file
//! where one is asked for.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use crate::{
    campaign::Tally, error::PowercutError, filesystem::Filesystem, machine::Machine, part::Part,
    plants::Verdict, trials::TrialTally,
};

/// What was tried and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    power_cuts: Vec<String>,
    failures: Vec<String>,
    /// By plant: how it fared on each filesystem.
    plants: BTreeMap<&'static str, Vec<String>>,
    problems: Vec<String>,
}

impl Report {
    /// Passes a good outcome on, and notes what is wrong with the store.
    ///
    /// # Errors
    /// What is wrong with anything else.
    pub(crate) fn keep<T>(
        &mut self,
        outcome: Result<T, PowercutError>,
    ) -> Result<Option<T>, PowercutError> {
        match outcome {
            Ok(good) => Ok(Some(good)),
            Err(error) if error.is_about_the_store() => {
                self.complain(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes what is wrong.
    pub(crate) fn complain(&mut self, problem: &PowercutError) {
        println!("  WRONG: {problem}");
        self.problems.push(problem.to_string());
    }

    pub(crate) fn add_power_cuts(
        &mut self,
        filesystem: Filesystem,
        tally: &Tally,
        duration: Duration,
    ) {
        let [durable, prefix, subset] = tally.kept;
        let [first, second, third] = tally.cuts;
        let [writes, discards, flushes] = tally.requests;
        let (states, findings) = (tally.states, tally.findings.len());
        println!(
            "{}: {states} states ({first} of a first life, {second} of a second, {third} of a \
             third; {} untorn; {} different disks; at {} % of the boundaries) of {} recordings ({writes} writes, {discards} discards, {flushes} \
             flushes), {findings} broken promises, {} s",
            filesystem.name(),
            tally.not_torn,
            tally.disks.len(),
            tally.covered_percent(),
            tally.recordings,
            duration.as_secs()
        );
        self.power_cuts.push(format!(
            "| {} | {states} | {durable} | {prefix} | {subset} | {first} | {second} | {third} | \
             {} | {} | {writes} | {discards} | {flushes} | {} | {findings} | {} |",
            filesystem.name(),
            tally.covered_percent(),
            tally.recordings,
            tally.not_torn,
            duration.as_secs()
        ));
    }

    pub(crate) fn add_failures(
        &mut self,
        filesystem: Filesystem,
        tally: &TrialTally,
        duration: Duration,
    ) {
        let TrialTally { failing, calls, full, unreadable, bus_errors, .. } = tally;
        let TrialTally { states, not_torn, findings, .. } = tally;
        let (name, findings) = (filesystem.name(), findings.len());
        println!(
            "{name}: {failing} failing disks, {calls} failing calls, {full} full disks, \
             {unreadable} unreadable ones, {bus_errors} ended by SIGBUS, {states} states after \
             them, {findings} broken promises, {} s",
            duration.as_secs()
        );
        self.failures.push(format!(
            "| {name} | {failing} | {calls} | {full} | {unreadable} | {bus_errors} | {states} | {not_torn} | {findings} | {} |",
            duration.as_secs()
        ));
    }

    pub(crate) fn add_plant(&mut self, verdict: &Verdict, duration: Duration) {
        println!("{}, {} s", verdict.line(), duration.as_secs());
        let word = match (&verdict.noticed, verdict.plant.is_harmful()) {
            (Some(_), true) => format!("noticed ({} states)", verdict.states),
            (None, false) => format!("harmless ({} states)", verdict.states),
            _ => "**wrong**".to_owned(),
        };
        self.plants.entry(verdict.plant.name()).or_default().push(word);
    }

    /// All of it, as Markdown.
    fn markdown(&self, machine: &Machine, command: &str, duration: Duration) -> String {
        let mut out =
            format!("# Power cuts on real filesystems, {}\n\n`{command}`\n\n", machine.day());
        for (what, value) in machine.lines() {
            // Writing to a string does not fail.
            let _ = writeln!(out, "- {what}: {value}");
        }
        let _ = writeln!(out, "- duration: {} s", duration.as_secs());
        out.push_str(POWER_CUTS);
        self.power_cuts.iter().for_each(|row| out.extend([row, "\n"]));
        out.push_str(FAILURES);
        self.failures.iter().for_each(|row| out.extend([row, "\n"]));
        out.push_str(PLANTS);
        for (plant, words) in &self.plants {
            let _ = writeln!(out, "| {plant} | {} |", words.join(" | "));
        }
        let verdict = if self.problems.is_empty() { "Nothing was wrong." } else { "Wrong:" };
        let _ = writeln!(out, "\n{verdict}");
        self.problems.iter().for_each(|problem| out.extend(["\n- ", problem]));
        out
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn write(
        &self,
        path: &Path,
        machine: &Machine,
        command: &str,
        duration: Duration,
    ) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, self.markdown(machine, command, duration))
    }

    /// Whether all is well.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn verdict(&self) -> Result<(), PowercutError> {
        match self.problems.first() {
            None => Ok(()),
            Some(first) => Err(PowercutError::Broken {
                count: crate::number::to_u64(self.problems.len()),
                first: first.clone(),
            }),
        }
    }
}

/// What came of one part of the power cuts on a filesystem, as a row of a table.
pub(crate) fn row_of_part(
    machine: &Machine,
    part: Part,
    filesystem: Filesystem,
    tally: &Tally,
    duration: Duration,
) -> String {
    let [first, second, third] = tally.cuts;
    let [writes, _, flushes] = tally.requests;
    let cells = [
        machine.day().to_owned(),
        machine.commit().to_owned(),
        part.to_string(),
        machine.seed().to_string(),
        filesystem.name().to_owned(),
        tally.states.to_string(),
        tally.disks.len().to_string(),
        first.to_string(),
        second.to_string(),
        third.to_string(),
        tally.not_torn.to_string(),
        tally.recordings.to_string(),
        writes.to_string(),
        flushes.to_string(),
        tally.findings.len().to_string(),
        duration.as_secs().to_string(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// Adds a row to the record of parts, which is begun where there is none.
///
/// # Errors
/// As the system says.
pub(crate) fn add_to(record: &Path, row: &str) -> io::Result<()> {
    if let Some(parent) = record.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::OpenOptions::new().append(true).create(true).open(record)?;
    if file.metadata()?.len() == 0 {
        file.write_all(PARTS.as_bytes())?;
    }
    file.write_all(row.as_bytes())
}

const PARTS: &str = "# Power cuts on real filesystems, part by part\n\n\
    Rows are added by `annals-powercut deep --part K/N --record FILE`. States are disks that a power \
    cut may leave behind; of these so many are different from all others of the part: the others \
    were examined for what else had been promised by then. First, second, third: in which life of \
    a store. Untorn: the filesystem itself did not outlive torn blocks, so only whole ones are \
    missing.\n\n\
    | date | commit | part | seed | filesystem | states | different | first | second | third | \
    untorn | recordings | writes | flushes | broken promises | s |\n\
    |---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

const POWER_CUTS: &str = "\n## Power cuts\n\n\
    States are disks that a power cut may leave behind: with nothing of what was not flushed, all \
    of it, or a random subset; in the first life of a store, its second, its third. Covered: at \
    how many hundredths of the boundaries between requests that leave a disk of their own a state \
    was examined. Untorn: the filesystem itself did not outlive torn blocks, so only whole ones are missing.\n\n\
    | filesystem | states | durable | prefix | subset | first | second | third | covered % | \
    recordings | writes | discards | flushes | untorn | broken promises | s |\n\
    |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

const FAILURES: &str = "\n## Failing and full disks\n\n\
    | filesystem | failing disks | failing calls | full disks | unreadable disks | ended by SIGBUS | \
    states after them | untorn | broken promises | s |\n\
    |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";

const PLANTS: &str = "\n## Planted defects\n\n\
    | defect | ext4 | xfs | btrfs |\n\
    |---|---|---|---|\n";

//! Does what the program was told.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use crate::{
    arguments::{Arguments, Command, Common, Deep, Replay, Run},
    campaign::Campaign,
    error::PowercutError,
    evidence,
    filesystem::Filesystem,
    gate::{self, Extent, Gate},
    machine::Machine,
    namespace,
    number::{to_u64, to_usize},
    part::Part,
    perform,
    plant::Plant,
    pool::{Examined, Pool},
    progress::Progress,
    recording::Recording,
    rehearsal,
    report::{self, Report},
    requirements,
    states::States,
    workload,
};

/// Does what the program was told.
///
/// # Errors
/// [`PowercutError`]: a promise was broken, a planted defect was not noticed, or nothing could be
/// measured.
pub fn execute(arguments: Arguments) -> Result<(), PowercutError> {
    match arguments.command {
        Command::Ci(common) => execute_all(&common, &gate::CI, None),
        Command::Deep(Deep { common, record, part: Some(part), filesystem, .. }) => {
            execute_part(&common, part, &chosen(filesystem), &record)
        }
        Command::Deep(deep) => {
            let extent = gate::DEEP.percent(deep.percent);
            execute_all(&deep.common, &extent, Some(&deep))
        }
        Command::Run(run) => execute_run(&run),
        Command::Failures(failures) => {
            let mut gate = open_gate(&failures.common)?;
            for filesystem in chosen(failures.filesystem) {
                gate.fail_disks(filesystem, failures.count)?;
            }
            gate.report.verdict()
        }
        Command::Plants(plants) => {
            let mut gate = open_gate(&plants.common)?;
            let all = plants.plant.is_empty();
            let these = if all { Plant::ALL.to_vec() } else { plants.plant };
            gate.plant_defects(&these, &chosen(plants.filesystem))?;
            gate.report.verdict()
        }
        Command::Replay(replay) => execute_replay(&replay),
        Command::Workloads => {
            for workload in workload::catalogue() {
                println!("{:18} {}", workload.name, workload.about);
            }
            Ok(())
        }
        Command::Perform(performance) => perform::perform(&performance),
    }
}

fn chosen(filesystem: Option<Filesystem>) -> Vec<Filesystem> {
    filesystem.map_or_else(|| Filesystem::ALL.to_vec(), |filesystem| vec![filesystem])
}

/// Makes sure that this machine can do it; returns a directory in memory for everything.
fn make_ready(filesystems: &[Filesystem]) -> Result<PathBuf, PowercutError> {
    requirements::check(filesystems)?;
    let scratch = namespace::enter()?;
    rehearsal::rehearse(filesystems, &scratch)?;
    Ok(scratch)
}

fn open_gate(common: &Common) -> Result<Gate, PowercutError> {
    let failures = gate::absolute(&common.failures)?;
    let scratch = make_ready(&Filesystem::ALL)?;
    let (seed, workers) = (common.seed, to_usize(common.workers));
    Ok(Gate { seed, workers, failures, scratch, report: Report::default() })
}

fn execute_all(
    common: &Common,
    extent: &Extent,
    recorded: Option<&Deep>,
) -> Result<(), PowercutError> {
    let mut gate = open_gate(common)?;
    let (machine, start) = (Machine::look(common.seed), Instant::now());
    gate.run(extent)?;
    let duration = start.elapsed();
    println!("{} s in all", duration.as_secs());
    if let Some(Deep { record, percent, .. }) = recorded {
        let command = format!("annals-powercut deep --seed {} --percent {percent}", common.seed);
        let written = gate.report.write(record, &machine, &command, duration);
        written.map_err(PowercutError::io(&format!("write {}", record.display())))?;
    }
    gate.report.verdict()
}

/// Cuts the power for one part of what belongs before a release.
fn execute_part(
    common: &Common,
    part: Part,
    filesystems: &[Filesystem],
    record: &Path,
) -> Result<(), PowercutError> {
    let seed = part.seed(common.seed);
    let machine = Machine::look(common.seed);
    let record = gate::absolute(record)?;
    let mut gate = Gate { seed, ..open_gate(common)? };
    for (filesystem, states) in gate::DEEP.states {
        if filesystems.contains(&filesystem) {
            let start = Instant::now();
            let tally = gate.cut_power(filesystem, part.share(states))?;
            let row = report::row_of_part(&machine, part, filesystem, &tally, start.elapsed());
            let added = report::add_to(&record, &row);
            added.map_err(PowercutError::io(&format!("write {}", record.display())))?;
        }
    }
    gate.report.verdict()
}

fn execute_run(run: &Run) -> Result<(), PowercutError> {
    let Common { seed, workers, failures } = &run.common;
    let named = |name: &String| {
        workload::by_name(name).ok_or_else(|| PowercutError::NoSuchWorkload(name.clone()))
    };
    let mut workloads = run.workload.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    if workloads.is_empty() {
        workloads = workload::ALL.to_vec();
    }
    let scratch = make_ready(&[run.filesystem])?;
    let campaign = Campaign {
        filesystem: run.filesystem,
        workloads,
        seed: *seed,
        wanted: run.states,
        subsets: gate::SUBSETS,
        workers: to_usize(*workers),
        plant: None,
        findings_max: 5,
    };
    let (progress, start) = (Progress::new(run.filesystem.name(), run.states), Instant::now());
    let tally = campaign.run(&scratch, &progress)?;
    drop(progress);
    Report::default().add_power_cuts(run.filesystem, &tally, start.elapsed());
    evidence::keep(&tally.findings, failures)
}

fn execute_replay(replay: &Replay) -> Result<(), PowercutError> {
    let recording = Recording::load(&replay.recording);
    let recording = Arc::new(recording.map_err(PowercutError::io("load the recording"))?);
    let scratch = make_ready(&[recording.filesystem])?;
    let pool = Pool::new(recording.filesystem, &scratch, 1, recording.base.size())?;
    let mut count = 0;
    for state in States::new(&recording) {
        count += 1;
        if replay.state.is_none_or(|number| number == state.number) {
            pool.examine(&recording, state);
        }
    }
    let Examined { states, findings, .. } = pool.finish()?;
    for finding in &findings {
        println!("{}", evidence::describe(finding));
    }
    match (replay.state, findings.first()) {
        (Some(number), None) if states == 0 => {
            Err(PowercutError::NoSuchState { recording: replay.recording.clone(), count, number })
        }
        (_, Some(finding)) => Err(PowercutError::Broken {
            count: to_u64(findings.len()),
            first: evidence::describe(finding),
        }),
        (_, None) => {
            println!("{states} states, no broken promise");
            Ok(())
        }
    }
}

//! Does what the program was told.

use std::{path::Path, sync::Arc};

use crate::{
    arguments::{Arguments, Command, Common, Replay, Run},
    campaign::Campaign,
    error::PowercutError,
    evidence,
    filesystem::Filesystem,
    namespace,
    number::{to_u64, to_usize},
    perform,
    pool::{Examined, Pool},
    progress::Progress,
    recording::Recording,
    requirements,
    states::States,
    trials::Trials,
    workload,
};

/// Does what the program was told.
///
/// # Errors
/// [`PowercutError`]: a promise was broken, a planted defect was not noticed, or nothing could be
/// measured.
pub fn execute(arguments: Arguments) -> Result<(), PowercutError> {
    match arguments.command {
        Command::Workloads => list_workloads(),
        Command::Perform(performance) => perform::perform(&performance),
        Command::Run(run) => {
            requirements::check(&[run.filesystem])?;
            execute_run(&run, &namespace::enter()?)
        }
        Command::Replay(replay) => execute_replay(&replay),
        Command::Trials(run) => {
            requirements::check(&[run.filesystem])?;
            let scratch = namespace::enter()?;
            let trials = Trials {
                filesystem: run.filesystem,
                seed: run.common.seed,
                count: run.states,
                workers: to_usize(run.common.workers),
            };
            let progress = Progress::new("trials", trials.len());
            let tally = trials.run(&scratch, &progress)?;
            drop(progress);
            println!(
                "{} failing {} calls {} full {} states {} findings",
                tally.failing,
                tally.calls,
                tally.full,
                tally.states,
                tally.findings.len()
            );
            evidence::keep(&tally.findings, &run.common.failures)
        }
        _ => Ok(()),
    }
}

fn list_workloads() -> Result<(), PowercutError> {
    for workload in workload::catalogue() {
        println!("{:18} {}", workload.name, workload.about);
    }
    Ok(())
}

fn execute_run(run: &Run, scratch: &Path) -> Result<(), PowercutError> {
    let Common { seed, workers, failures } = &run.common;
    let named = |name: &String| {
        workload::by_name(name).ok_or_else(|| PowercutError::NoSuchWorkload(name.clone()))
    };
    let mut workloads = run.workload.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    if workloads.is_empty() {
        workloads = workload::ALL.to_vec();
    }
    let campaign = Campaign {
        filesystem: run.filesystem,
        workloads,
        seed: *seed,
        wanted: run.states,
        subsets: 4,
        workers: to_usize(*workers),
        plant: run.plant,
        findings_max: 5,
    };
    let progress = Progress::new(run.filesystem.name(), run.states);
    let tally = campaign.run(scratch, &progress)?;
    drop(progress);
    println!(
        "{} states of {} recordings, kept {:?}, cuts {:?}, {} requests, {} findings",
        tally.states,
        tally.recordings,
        tally.kept,
        tally.cuts,
        tally.requests,
        tally.findings.len()
    );
    evidence::keep(&tally.findings, failures)
}

fn execute_replay(replay: &Replay) -> Result<(), PowercutError> {
    let recording = Recording::load(&replay.recording);
    let recording = Arc::new(recording.map_err(PowercutError::io("load the recording"))?);
    let filesystem: Filesystem = recording.filesystem;
    requirements::check(&[filesystem])?;
    let scratch = namespace::enter()?;
    let pool = Pool::new(filesystem, &scratch, 1, recording.base.size())?;
    let mut count = 0;
    for state in States::new(&recording) {
        count += 1;
        if replay.state.is_none_or(|number| number == state.number) {
            pool.examine(&recording, state);
        }
    }
    let Examined { states: examined, findings, .. } = pool.finish()?;
    for finding in &findings {
        println!("{}", evidence::describe(finding));
    }
    match (replay.state, examined) {
        (Some(number), 0) => {
            Err(PowercutError::NoSuchState { recording: replay.recording.clone(), count, number })
        }
        _ if findings.is_empty() => {
            println!("{examined} states, no broken promise");
            Ok(())
        }
        _ => Err(PowercutError::Broken {
            count: to_u64(findings.len()),
            first: findings.first().map(evidence::describe).unwrap_or_default(),
        }),
    }
}

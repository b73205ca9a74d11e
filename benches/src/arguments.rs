//! What the program is told.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};

use crate::{
    disk::{
        part::{self, Part},
        plan::DiskPlan,
    },
    plan::Plan,
    report::{
        backend,
        own::Commands,
        scene::{Extent, Scene},
    },
    workload::Workload,
};

/// Workloads against an Annals store, beside what the disk itself can do in the same run.
#[derive(Debug, Parser)]
#[command(name = "annals-bench", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures workloads, prints tables, and records them if asked to.
    Run(Run),
    /// W2 with 100 threads for a long time: latency, memory, changes of segments.
    Soak(Soak),
    /// The ways in which a log could write, side by side, without the log.
    Disk(Disk),
    /// The workloads of commands on every backend, in one run: tables, pictures, a page.
    Report(Report),
    /// Two recorded reports side by side: what is better, worse, or noise.
    Compare(Compare),
    /// Writes a page with all recorded reports, beside them.
    History(History),
    /// Makes the pages and pictures of a recorded report anew, without measuring.
    Render(Render),
    /// Counts the instructions of the hot paths below valgrind; needs a release build.
    Count(Count),
    /// Does the operations of one hot path: what `count` runs below valgrind.
    #[command(hide = true)]
    Operate(Operate),
    /// One run of one workload on Annals: what `report` runs in processes of their own.
    #[command(hide = true)]
    Commands(Commands),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Which workloads, separated by commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    workload: Vec<Workload>,
    /// How long each run counts, 0.1 to 60 [default: 2, or 0.4 with --quick].
    #[arg(long, value_parser = seconds)]
    seconds: Option<f64>,
    /// How often each case is run [default: 5, or 3 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Only cases of write and command workloads whose names have this in them.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Short runs, small logs: orders of magnitude in some minutes.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// How long, in minutes, 0.01 to 10,000.
    #[arg(long, value_parser = minutes)]
    pub(crate) minutes: f64,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Disk {
    /// Which parts, separated by commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    part: Vec<Part>,
    /// How long each run counts, 0.1 to 60 [default: 1, or 0.2 with --quick].
    #[arg(long, value_parser = seconds)]
    seconds: Option<f64>,
    /// How often each case is run [default: 5, or 3 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Short runs: orders of magnitude in some minutes.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Count {
    /// Compares with the counts in this file: more than 10 % above fails.
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    pub(crate) check: Option<PathBuf>,
    /// Writes the counts into this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Where logs lie while they are used; which disk it is does not matter.
    #[arg(long, default_value = "target/bench")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// Fewer commands, one round: orders of magnitude in less than a minute.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often everything is run, in turns [default: 3, or 1 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How often of these rounds the scales and fixed rates are run [default: in all].
    #[arg(long, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(1..=100))]
    scale_rounds: Option<u32>,
    /// Only these backends, separated by commas [default: all].
    #[arg(long, value_name = "BACKEND", value_delimiter = ',', value_parser = backends())]
    pub(crate) only: Vec<String>,
    /// Only this part, separated by commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) scene: Vec<Scene>,
    /// The program `annals-peers`, which runs EventCore [default: where cargo builds it].
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) peers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// The `report.json` of a record, or the record's directory.
    pub(crate) old: PathBuf,
    /// The same of the one to judge.
    pub(crate) new: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// The directory that has the records.
    #[arg(default_value = "benches/record")]
    pub(crate) records: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Render {
    /// The record: a directory with a report.json.
    #[arg(value_name = "DIR")]
    pub(crate) record: PathBuf,
}

fn backends() -> PossibleValuesParser {
    PossibleValuesParser::new(backend::ALL.map(|backend| backend.name))
}

impl Report {
    pub(crate) fn extent(&self) -> Extent {
        if self.quick { Extent::Quick } else { Extent::Whole }
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    pub(crate) fn scale_rounds(&self) -> u32 {
        self.scale_rounds.unwrap_or(u32::MAX)
    }

    /// What to type to do the same elsewhere.
    pub(crate) fn command(&self) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let only = self.only.join(",");
        let only = if only.is_empty() { only } else { format!(" --only {only}") };
        let names = self.scene.iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        let scene = names.join(",");
        let scene = if scene.is_empty() { scene } else { format!(" --scene {scene}") };
        let scale = self.scale_rounds.map(|rounds| format!(" --scale-rounds {rounds}"));
        let (rounds, scale) = (self.rounds(), scale.unwrap_or_default());
        format!("annals-bench report{quick}{only}{scene} --rounds {rounds}{scale}")
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Operate {
    pub(crate) path: String,
    #[arg(long)]
    pub(crate) operations: u64,
    /// Where its log lies; made if it is missing.
    #[arg(long)]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Where logs lie while they are measured: a directory on the disk in question.
    #[arg(long, default_value = "target/bench")]
    pub(crate) dir: PathBuf,
    /// Writes a record into a new directory in this one, named after the date and the machine.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// How much memory is touched before anything is measured, in GiB, 0 to 1,000; at most half of
    /// what is available. Memory that a virtual machine never used before is slow.
    #[arg(long, value_name = "GIB", default_value = "3", value_parser = gib)]
    pub(crate) touch: f64,
}

impl Run {
    /// The workloads, each once, in the order in which they run.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let is_wanted = |w: &Workload| self.workload.is_empty() || self.workload.contains(w);
        crate::workload::ALL.into_iter().filter(is_wanted).collect()
    }

    pub(crate) fn plan(&self) -> Plan {
        let plan = if self.quick { Plan::quick() } else { Plan::thorough() };
        let (seconds, runs) = (plan.seconds, plan.runs);
        Plan {
            seconds: self.seconds.unwrap_or(seconds),
            runs: self.runs.unwrap_or(runs),
            only: self.only.clone(),
            ..plan
        }
    }

    /// What to type to do the same elsewhere.
    pub(crate) fn command(&self) -> String {
        let plan = self.plan();
        let names: Vec<_> = self.workloads().iter().map(ToString::to_string).collect();
        let quick = if self.quick { " --quick" } else { "" };
        let (names, seconds, runs) = (names.join(","), plan.seconds, plan.runs);
        let only = if self.only.is_empty() { "" } else { &format!(" --only '{}'", self.only) };
        format!(
            "annals-bench run{quick} --workload {names}{only} --seconds {seconds} --runs {runs}"
        )
    }
}

impl Disk {
    /// The parts, each once, in the order in which they run.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let is_wanted = |part: &Part| self.part.is_empty() || self.part.contains(part);
        part::ALL.into_iter().filter(is_wanted).collect()
    }

    pub(crate) fn plan(&self) -> DiskPlan {
        let plan = if self.quick { DiskPlan::quick() } else { DiskPlan::thorough() };
        let (seconds, runs) = (plan.seconds, plan.runs);
        DiskPlan { seconds: self.seconds.unwrap_or(seconds), runs: self.runs.unwrap_or(runs) }
    }

    /// What to type to do the same elsewhere.
    pub(crate) fn command(&self) -> String {
        let DiskPlan { seconds, runs } = self.plan();
        let names: Vec<_> = self.parts().into_iter().map(Part::argument).collect();
        let names = names.join(",");
        format!("annals-bench disk --part {names} --seconds {seconds} --runs {runs}")
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.1, 60.0)
}

fn minutes(text: &str) -> Result<f64, String> {
    within(text, 0.01, 10_000.0)
}

fn gib(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1_000.0)
}

fn within(text: &str, min: f64, max: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("it must be {min} to {max}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Run, String> {
        let all = ["annals-bench", "run"].iter().chain(arguments);
        match Arguments::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Command::Run(run) => Ok(run),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn workloads_are_named_in_any_case_and_order() {
        Arguments::command().debug_assert();
        let run = parse(&["--workload", "hot,W1,w1", "--quick", "--runs", "7"]).unwrap();
        assert_eq!(run.workloads(), [Workload::W1, Workload::Hot]);
        let command = "annals-bench run --quick --workload W1,Hot --seconds 0.4 --runs 7";
        assert_eq!(run.command(), command);
        assert_eq!(parse(&[]).unwrap().workloads(), crate::workload::ALL);
    }

    #[test]
    fn parts_are_named_in_any_case_and_order() {
        let parse = |arguments: &[&str]| {
            let all = ["annals-bench", "disk"].iter().chain(arguments);
            match Arguments::try_parse_from(all).map_err(|error| error.to_string())?.command {
                Command::Disk(disk) => Ok(disk),
                _ => Err("not the disk".to_owned()),
            }
        };
        let disk = parse(&["--part", "fill,Lead,lead", "--quick", "--runs", "4"]).unwrap();
        assert_eq!(disk.parts(), [Part::Lead, Part::Fill]);
        assert_eq!(disk.command(), "annals-bench disk --part lead,fill --seconds 0.2 --runs 4");
        assert_eq!(parse(&[]).unwrap().parts(), part::ALL);
        let error = |arguments| parse(arguments).map(|_: Disk| ()).unwrap_err();
        assert!(error(&["--part", "d1"]).contains("possible values: prepare, durable, lead, fill"));
        assert!(error(&["--touch", "-1"]).contains("error"));
        assert!(error(&["--touch", "2000"]).contains("it must be 0 to 1000"));
    }

    #[test]
    fn impossible_values_are_refused_with_what_is_possible() {
        let error = |arguments| parse(arguments).unwrap_err();
        assert!(error(&["--seconds", "0"]).contains("it must be 0.1 to 60"));
        assert!(error(&["--seconds", "NaN"]).contains("it must be 0.1 to 60"));
        assert!(error(&["--runs", "0"]).contains("0 is not in 1..=1000"));
        assert!(error(&["--workload", "W9"]).contains("possible values: w1, w2, w3, hot"));
    }
}

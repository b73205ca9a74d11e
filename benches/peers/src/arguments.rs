//! What the program is told.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, builder::PossibleValuesParser};

use crate::{commands::Commands, plan::Plan, system::Peer, systems};

/// Annals beside what else could keep a log of events: the same workloads, in one run.
///
/// Without options it measures all systems thoroughly, for about a quarter of an hour, and writes
/// the comparison page and a record into this repository.
#[derive(Debug, Parser)]
#[command(name = "annals-peers", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Measures only these systems, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
    /// Short runs, small logs: orders of magnitude in two minutes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often each system is measured in each case [default: 3, or 1 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How long each run counts, 0.05 to 60 [default: 0.8, or 0.15 with --quick].
    #[arg(long, value_parser = seconds)]
    seconds: Option<f64>,
    /// Where logs lie while they are measured: a directory on the disk in question.
    #[arg(long, default_value = "target/peers")]
    pub(crate) dir: PathBuf,
    /// A directory in memory, for what the processor alone makes of it; left out if it is missing.
    #[arg(long, default_value = "/dev/shm")]
    pub(crate) tmpfs: PathBuf,
    /// Where `docs/benchmarks.md` and `benches/record/` are written [default: this repository, or
    /// target/peers with --quick or --only].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Commands(Commands),
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(systems::ALL.iter().map(|peer| peer.name))
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.05..=60.0).contains(&number) {
        Ok(number)
    } else {
        Err("it must be 0.05 to 60".to_owned())
    }
}

impl Arguments {
    /// The systems that are measured.
    pub(crate) fn peers(&self) -> Vec<&'static Peer> {
        let is_wanted =
            |peer: &&Peer| self.only.is_empty() || self.only.iter().any(|name| name == peer.name);
        systems::ALL.iter().filter(is_wanted).collect()
    }

    pub(crate) fn plan(&self) -> Plan {
        let plan = if self.quick { Plan::quick() } else { Plan::thorough() };
        Plan {
            rounds: self.rounds.unwrap_or(plan.rounds),
            length: self.seconds.map_or(plan.length, Duration::from_secs_f64),
            ..plan
        }
    }

    /// Where results are written.
    pub(crate) fn out(&self) -> PathBuf {
        let repository = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let is_whole = self.only.is_empty() && !self.quick;
        let default = || if is_whole { repository() } else { PathBuf::from("target/peers") };
        self.out.clone().unwrap_or_else(default)
    }

    /// What to type to do the same elsewhere.
    pub(crate) fn command_line(&self) -> String {
        let mut command = "cargo run --release --manifest-path benches/peers/Cargo.toml".to_owned();
        let mut options = Vec::new();
        if self.quick {
            options.push("--quick".to_owned());
        }
        if !self.only.is_empty() {
            options.push(format!("--only {}", self.only.join(",")));
        }
        options.extend(self.rounds.map(|rounds| format!("--rounds {rounds}")));
        options.extend(self.seconds.map(|seconds| format!("--seconds {seconds}")));
        if !options.is_empty() {
            command = format!("{command} -- {}", options.join(" "));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let all = ["annals-peers"].iter().chain(arguments);
        Arguments::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn only_those_that_are_named_are_measured() {
        Arguments::command().debug_assert();
        let arguments = parse(&["--only", "sqlite,annals", "--rounds", "2"]).unwrap();
        let names: Vec<_> = arguments.peers().iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["annals", "sqlite"]);
        assert!(arguments.command_line().ends_with("-- --only sqlite,annals --rounds 2"));
        assert_eq!(arguments.out(), PathBuf::from("target/peers"));
        let all = parse(&[]).unwrap();
        assert_eq!(all.peers().len(), systems::ALL.len());
        assert!(all.command_line().ends_with("Cargo.toml") && all.out().ends_with("../.."));
    }

    #[test]
    fn what_is_impossible_is_refused_with_what_is_possible() {
        let error = |arguments| parse(arguments).unwrap_err();
        let unknown = error(&["--only", "sqlight"]);
        assert!(unknown.contains("sqlight") && unknown.contains("lmdb+grouping"), "{unknown}");
        assert!(unknown.contains("sqlite"), "{unknown}");
        assert!(error(&["--seconds", "0"]).contains("it must be 0.05 to 60"));
        assert!(error(&["--rounds", "0"]).contains("0 is not in 1..=100"));
    }
}

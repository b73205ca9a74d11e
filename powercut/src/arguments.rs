//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{filesystem::Filesystem, part::Part, perform::Performance, plant::Plant};

/// Cuts the power under Annals stores on real filesystems, at every write and every flush of the
/// disk, thousands of times.
///
/// Needs Linux, root, /dev/fuse, loop devices, strace, and the programs that make the filesystems
/// (e2fsprogs, xfsprogs, btrfs-progs). Exit codes: 0, all is well; 1, a promise was broken or a
/// planted defect was not noticed; 2, a wrong command line; 3, not measured: something that it
/// needs is missing.
#[derive(Debug, Parser)]
#[command(name = "annals-powercut", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What belongs into every run of the gate: 20,000 states of ext4, 1,500 of xfs, 600 of
    /// btrfs; failing and full disks; every planted defect.
    Ci(Common),
    /// What belongs before a release: 1,000,000 states of ext4, 50,000 of xfs, 20,000 of btrfs;
    /// more failing disks; every planted defect.
    Deep(Deep),
    /// So many states of one filesystem.
    Run(Run),
    /// Failing and full disks.
    Failures(Failures),
    /// Planted defects, each of which must be noticed.
    Plants(Plants),
    /// Looks again at the states of a recording that was kept.
    Replay(Replay),
    /// Lists the workloads.
    Workloads,
    /// Performs a workload on a disk that is recorded; started by the others.
    #[command(hide = true)]
    Perform(Performance),
}

/// What all of them take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// What all random choices follow from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many states are examined at the same time; mostly they wait for the kernel.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) workers: u64,
    /// Where recordings of broken promises are kept.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/powercut")]
    pub(crate) failures: PathBuf,
}

/// Before a release.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deep {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The file that the counts, the seed, the commit and the durations are written to.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: PathBuf,
    /// How much of it, for who has less time. The record has the counts that were reached.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) percent: u64,
    /// Only the power cuts of one of N equal parts, K/N: for example 3/50. What came of it is added
    /// to the record, a row for each filesystem as soon as it is done with. Parts with the same
    /// seed have nothing in common.
    #[arg(long, value_name = "K/N", conflicts_with = "percent")]
    pub(crate) part: Option<Part>,
    /// Of a part: only this filesystem.
    #[arg(long, requires = "part")]
    pub(crate) filesystem: Option<Filesystem>,
}

/// So many states of one filesystem.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Of which filesystem.
    #[arg(long, default_value = "ext4")]
    pub(crate) filesystem: Filesystem,
    /// How many.
    #[arg(long, default_value_t = 500)]
    pub(crate) states: u64,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    pub(crate) workload: Vec<String>,
}

/// Failing and full disks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Failures {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Of which filesystem; all, unless said.
    #[arg(long)]
    pub(crate) filesystem: Option<Filesystem>,
    /// How many requests of each sort fail.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) count: u64,
}

/// Planted defects.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plants {
    #[command(flatten)]
    pub(crate) common: Common,
    /// On which filesystem; all, unless said.
    #[arg(long)]
    pub(crate) filesystem: Option<Filesystem>,
    /// Which; all, unless said.
    #[arg(long, value_delimiter = ',')]
    pub(crate) plant: Vec<Plant>,
}

/// A recording that was kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct Replay {
    /// The recording's file. The seed of its random choices is in it.
    pub(crate) recording: PathBuf,
    /// The number of the state; all, unless said.
    #[arg(long)]
    pub(crate) state: Option<u64>,
}

//! The command line.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use annals_event::Filter;
use clap::{ArgGroup, Parser, Subcommand};

use crate::{
    console::{Console, Forgiving, Outcome},
    error::DumpError,
    events::{Selection, events},
    frames::frames,
    log_directory::{LogDirectory, disk},
    repair::{RepairMode, repair},
    segments::segments,
    streams::streams,
    verify::verify,
};

/// The exit code when the log is damaged.
const DAMAGED: u8 = 1;
/// The exit code when the command could not be run.
const FAILED: u8 = 2;

/// Looks into the log of an Annals store without opening it: nothing is written and no lock is
/// taken, so that it works beside a writer and on damaged logs. Only `repair --write` does both.
#[derive(Debug, Parser)]
#[command(
    name = "log-dump",
    version,
    after_help = "Names, payloads and paths are shown with control characters, invisible \
                  characters and backslashes escaped: \\n, \\u{1b}, \\\\.\n\n\
                  Exit codes: 0 the log is sound, as far as it was looked at; 1 something is \
                  wrong with it, and was shown; 2 the command could not be run."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A line for each segment, and one for all.
    Segments {
        /// The log's directory.
        directory: PathBuf,
        /// Write lines of JSON.
        #[arg(long)]
        json: bool,
    },
    /// A line for each frame.
    Frames {
        /// The log's directory.
        directory: PathBuf,
        /// Write lines of JSON.
        #[arg(long)]
        json: bool,
    },
    /// A line for each event.
    Events {
        /// The log's directory.
        directory: PathBuf,
        /// Begin with this position.
        #[arg(long, value_name = "POSITION", default_value_t = 1)]
        from: u64,
        /// End with this position.
        #[arg(long, value_name = "POSITION")]
        to: Option<u64>,
        /// Show at most so many events.
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Only events of streams whose name begins so; may be repeated.
        #[arg(long, value_name = "PREFIX")]
        stream: Vec<String>,
        /// Only events of this type; may be repeated.
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Vec<String>,
        /// Write lines of JSON.
        #[arg(long)]
        json: bool,
    },
    /// A line for each stream, by name.
    Streams {
        /// The log's directory.
        directory: PathBuf,
        /// Only streams whose name begins so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// Write lines of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check everything: headers, frames, chain, versions, commits, index images.
    Verify {
        /// The log's directory.
        directory: PathBuf,
    },
    /// Put flipped bits right, where it is proven that something durable was damaged. The store
    /// must be closed. What else is wrong is shown with what is lost, and stays as it is.
    #[command(group(ArgGroup::new("mode").required(true).args(["dry_run", "write"])))]
    Repair {
        /// The log's directory.
        directory: PathBuf,
        /// Only show what would be done; nothing is written.
        #[arg(long)]
        dry_run: bool,
        /// Do it. Each damaged frame is first copied into a file that ends with .damaged.
        #[arg(long)]
        write: bool,
    },
}

/// Runs `log-dump` with the arguments and the standard streams of this process.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // If nobody reads the help, nobody needs it.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    let stdout = io::stdout().lock();
    let mut stderr = io::stderr().lock();
    if matches!(arguments.command, Command::Verify { .. }) {
        arguments.run_on(BufWriter::new(Forgiving(stdout)), &mut stderr)
    } else {
        arguments.run_on(BufWriter::new(stdout), &mut stderr)
    }
}

impl Arguments {
    fn run_on(&self, mut out: impl Write, err: &mut dyn Write) -> ExitCode {
        let mut console = Console { out: &mut out, err };
        let result = self.execute(&mut console);
        let result = result.and_then(|outcome| Ok(console.out.flush().map(|()| outcome)?));
        match result {
            Ok(Outcome::Sound) => ExitCode::SUCCESS,
            Ok(Outcome::Damaged) => ExitCode::from(DAMAGED),
            Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
            Err(error) => {
                console.complain(&error.to_string());
                ExitCode::from(FAILED)
            }
        }
    }

    /// Does what the arguments say.
    ///
    /// # Errors
    /// [`DumpError`]: it could not be done. A damaged log is an [`Outcome`].
    pub fn execute(&self, console: &mut Console<'_>) -> Result<Outcome, DumpError> {
        match &self.command {
            Command::Segments { directory, json } => {
                segments(&LogDirectory::open(directory)?, *json, console)
            }
            Command::Frames { directory, json } => {
                frames(&LogDirectory::open(directory)?, *json, console)
            }
            Command::Events { directory, from, to, limit, stream, event_type, json } => {
                let filter = stream.iter().fold(Filter::all(), Filter::stream_prefix);
                let selection = Selection {
                    positions: *from..=to.unwrap_or(u64::MAX),
                    filter: event_type.iter().fold(filter, Filter::event_type),
                    limit: limit.unwrap_or(u64::MAX),
                    json: *json,
                };
                events(&LogDirectory::open(directory)?, &selection, console)
            }
            Command::Streams { directory, prefix, json } => {
                streams(&LogDirectory::open(directory)?, prefix, *json, console)
            }
            Command::Verify { directory } => verify(&LogDirectory::open(directory)?, console),
            Command::Repair { directory, write, .. } => {
                let mode = if *write { RepairMode::Write } else { RepairMode::DryRun };
                repair(&disk(directory)?, mode, console)
            }
        }
    }
}

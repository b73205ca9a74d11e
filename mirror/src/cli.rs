//! The command line.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use annals_engine::{Annals, OpenError};
use annals_event::Position;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::{
    error::{ConnectError, MirrorError},
    mirror::Mirror,
    schema::{self, Role},
    settings::Settings,
    verify::{self, Difference},
};

/// The exit code when log and mirror differ.
const DIFFERENT: u8 = 1;
/// The exit code when the command could not be run.
const FAILED: u8 = 2;

/// Copies the log of an Annals store into tables of Postgres.
#[derive(Debug, Parser)]
#[command(
    name = "annals-mirror",
    version,
    after_help = "The log is opened, so no other process may have it open: an application that \
                  runs has its own mirror, `annals_postgres::Mirror`.\n\n\
                  Exit codes: 0 done; 1 log and mirror differ; 2 the command could not be run."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The database: a URL or `key=value` pairs, as psql takes it; unless given, `DATABASE_URL`.
    #[arg(long, global = true)]
    database: Option<String>,
    /// The schema with the tables.
    #[arg(long, global = true, default_value = "annals")]
    schema: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the tables.
    Init {
        /// The log's directory.
        directory: PathBuf,
    },
    /// Copy everything that is in the log and not yet in the mirror.
    Run {
        /// The log's directory.
        directory: PathBuf,
    },
    /// Compare the log with the mirror.
    Verify {
        /// The log's directory.
        directory: PathBuf,
    },
    /// Make a view of each event type.
    Views,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("which database? Give --database, or set DATABASE_URL")]
    NoDatabase,
    #[error("{} holds no log: there is no segment (*.seg) in it; give the directory that the store was opened in", .directory.display())]
    NoLog { directory: PathBuf },
    #[error("cannot open {}: {source}", .directory.display())]
    Log { directory: PathBuf, source: OpenError },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Runs `annals-mirror` with the arguments and the standard streams of this process.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // If nobody reads the help, nobody needs it.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    match arguments.execute(&mut io::stdout().lock()) {
        Ok(code) => code,
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "annals-mirror: {error}"));
            ExitCode::from(FAILED)
        }
    }
}

impl Arguments {
    fn settings(&self) -> Result<Settings, CliError> {
        let given = self.database.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        let settings = Settings::parse(&given.ok_or(CliError::NoDatabase)?)?;
        Ok(settings.schema(&self.schema))
    }

    fn execute(&self, out: &mut impl Write) -> Result<ExitCode, CliError> {
        let settings = self.settings()?;
        match &self.command {
            Command::Init { directory } => {
                let log = Mirror::log_id(&open(directory)?);
                schema::init(&settings, Role::Mirror { log })?;
                writeln!(out, "schema {} is a mirror of log {log}", self.schema)?;
            }
            Command::Run { directory } => copy(&open(directory)?, settings, out)?,
            Command::Verify { directory } => {
                return compare(&open(directory)?, &settings, out);
            }
            Command::Views => {
                writeln!(out, "views of {} event types", schema::make_views(&settings)?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn open(directory: &PathBuf) -> Result<Annals, CliError> {
    // Opening would make one.
    let is_segment = |file: io::Result<std::fs::DirEntry>| {
        file.is_ok_and(|file| file.path().extension().is_some_and(|ending| ending == "seg"))
    };
    if !std::fs::read_dir(directory).is_ok_and(|mut files| files.any(is_segment)) {
        return Err(CliError::NoLog { directory: directory.clone() });
    }
    let opened = Annals::open(directory);
    opened.map_err(|source| CliError::Log { directory: directory.clone(), source })
}

fn copy(annals: &Annals, settings: Settings, out: &mut impl Write) -> Result<(), CliError> {
    let end = annals.position();
    let mirror = Mirror::start(annals, settings)?;
    let bar = progress(end);
    mirror.wait_for(end, |lag| {
        bar.set_position(lag.mirrored.get());
        bar.set_message(if lag.is_away { "the server is away" } else { "" });
    })?;
    bar.finish_and_clear();
    writeln!(out, "the mirror is at position {end}")?;
    Ok(())
}

fn compare(
    annals: &Annals,
    settings: &Settings,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    let bar = progress(annals.position());
    let moving = bar.clone();
    let result = verify::verify(annals, settings, move |done| moving.set_position(done.get()));
    bar.finish_and_clear();
    match result? {
        Ok(end) => {
            let log = annals.position();
            writeln!(
                out,
                "log and mirror are the same up to position {end}; the log ends at {log}"
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(difference @ Difference { .. }) => {
            writeln!(out, "log and mirror differ: {difference}")?;
            Ok(ExitCode::from(DIFFERENT))
        }
    }
}

/// A bar, if anyone watches.
fn progress(end: Position) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(end.get());
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} events, {rate} events/s, {eta} {msg}",
    );
    // A rate of its own has four digits behind the point.
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{:.0}", state.per_sec());
    };
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate));
    bar
}

//! The history of a git repository as events, and git as the judge of what the log says of it.
//!
//! ```sh
//! cargo run --release --example git_history -- <path of a git repository>
//! ```
//!
//! 1. Each commit in the history of `HEAD`, parents first, becomes one atomic append: an event on
//!    the stream of every file that it touched (`file/src/lib.rs`), and one on the stream of its
//!    author (`author/Ada <ada@example.org>`). Each stream is expected at its exact version.
//! 2. The most changed files and the busiest authors are read back from the log.
//! 3. git counts the same in a way of its own, and every count is compared.
//!
//! A merge touches the files in which it differs from its first parent; a commit that touches no
//! file is an event of its author alone. Run again, it goes on with the commits that are not in
//! the log yet. It needs git 2.31 or newer.
//!
//! Exit codes: 0, git agrees, or there are no commits; 1, git and the log say different things;
//! 2, the program could not do its work, and says why.

mod appends;
mod check;
mod events;
mod git;
mod history;
mod import;
mod names;
mod raw;
mod report;
mod stop;
mod words;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use annals::Annals;
use clap::Parser;

use crate::{
    git::Git,
    import::Imported,
    report::Report,
    stop::Stop,
    words::{counted, grouped},
};

/// Writes the history of a git repository to an event log, reads it back, and has git check it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Any git repository: its work tree, a directory in it, or a bare one
    repository: PathBuf,
    #[arg(
        long,
        help = "Where the log is written [default: target/git_history/<REPOSITORY's name>]"
    )]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Disagreement(what)) => stopped(1, &what),
        Err(Stop::Failure(error)) => stopped(2, &format!("error: {error}")),
    }
}

fn stopped(code: u8, why: &str) -> ExitCode {
    // Whoever closed stderr does not want to know.
    drop(writeln!(std::io::stderr(), "{why}"));
    ExitCode::from(code)
}

/// Prints; whoever closed stdout does not want more, and still gets the exit code.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn run(arguments: Arguments) -> Result<(), Stop> {
    let git = Git::open(&arguments.repository)?;
    let Some(head) = git.head()? else {
        say("HEAD has no commits yet: there is nothing to write");
        return Ok(());
    };
    if git.is_shallow()? {
        say("note: this is a shallow clone; its oldest commits seem to add all of their files");
    }
    let default = || Path::new("target").join("git_history").join(git.name());
    let dir = arguments.dir.unwrap_or_else(default);
    let annals = Annals::open(&dir)?;
    let imported = import::all(&annals, &git, &head, &dir)?;
    say_imported(&imported, &dir);
    let report = Report { annals: &annals, imported: &imported, dir: &dir };
    say(&report.files()?);
    say(&report.authors()?);
    say(&check::agreement(&annals, &git, &head)?);
    say(&report.figures());
    Ok(annals.close()?)
}

fn say_imported(imported: &Imported, dir: &Path) {
    for split in &imported.splits {
        say(&format!("note: {split}"));
    }
    let (new, before) = (counted(imported.new, "new commit"), grouped(imported.before));
    say(&format!("{new}; {} had {before} before\n", dir.display()));
}

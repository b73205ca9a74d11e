//! Does what the program was told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use annals_bench::{Interrupt, Machine, Progress, Record, Scratch};
use tempfile::TempDir;

use crate::{
    arguments::{Arguments, Command},
    case::{ON_DISK, ON_TMPFS, PEERS_ON_TMPFS},
    commands,
    error::PeersError,
    page,
    plan::Plan,
    reading,
    results::Results,
    rounds::{self, CaseResult, Disk},
    system::Peer,
};

/// Measures and writes the page.
///
/// # Errors
/// [`PeersError`]: a directory cannot be written to, or Annals itself failed. Others that fail are
/// reported on the page.
pub fn execute(arguments: &Arguments) -> Result<(), PeersError> {
    if let Some(Command::Commands(commands)) = &arguments.command {
        println!("{}", serde_json::to_string(&commands::run(commands)?)?);
        return Ok(());
    }
    let interrupt = Interrupt::listen()?;
    // What cannot be written is known before anything is measured.
    let out = arguments.out();
    let record = Record::begin(&out.join("benches/record"), &interrupt)?;
    let page = Page::begin(&out, &interrupt)?;
    let scratch = Scratch::new(&arguments.dir, &interrupt)?;
    let progress = Progress::new();
    let results = measure(arguments, &scratch, &interrupt, &progress)?;
    progress.end();
    for plot in page::plots(&results)? {
        record.write(&plot.file, &plot.svg)?;
    }
    record.write("README.md", &page::page(&results, ""))?;
    record.write("results.csv", &page::results_csv(&results))?;
    record.write("runs.csv", &page::runs_csv(&results))?;
    record.write("readings.csv", &page::readings_csv(&results))?;
    let recorded = record.finish(&format!("{}-peers", results.machine.record_name()))?;
    let name = recorded.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let written = page.finish(&page::page(&results, &format!("../benches/record/{name}/")))?;
    println!("{}", page::page(&results, &format!("{}/", recorded.display())));
    println!("written to {} and {}", written.display(), recorded.display());
    let troubles = results.troubles();
    let own = troubles.iter().filter(|(peer, ..)| peer.of_crate == "annals").count();
    if own == 0 { Ok(()) } else { Err(PeersError::Annals { times: own }) }
}

fn measure(
    arguments: &Arguments,
    scratch: &Scratch,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Results, PeersError> {
    let (peers, plan) = (arguments.peers(), arguments.plan());
    let machine = Machine::look(&arguments.dir);
    let in_memory: Vec<&'static Peer> =
        peers.iter().copied().filter(|peer| PEERS_ON_TMPFS.contains(&peer.name)).collect();
    let runs = rounds::steps(ON_DISK, &peers) + rounds::steps(ON_TMPFS, &in_memory);
    let steps = runs * u64::from(plan.rounds) + reading::steps(&peers, &plan);
    progress.begin("peers", steps);
    let on_disk = rounds::run(ON_DISK, &peers, &plan, scratch, Disk::Real, progress)?;
    let on_tmpfs = on_tmpfs(arguments, &in_memory, &plan, interrupt, progress)?;
    let readings = reading::run(&peers, &plan, scratch, progress)?;
    let command = arguments.command_line();
    Ok(Results { machine, plan, command, peers, on_disk, on_tmpfs, readings })
}

/// Nothing, if there is no such directory.
fn on_tmpfs(
    arguments: &Arguments,
    peers: &[&'static Peer],
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Vec<CaseResult>, PeersError> {
    if peers.is_empty() || !arguments.tmpfs.is_dir() {
        return Ok(Vec::new());
    }
    let scratch = Scratch::new(&arguments.tmpfs, interrupt)?;
    Ok(rounds::run(ON_TMPFS, peers, plan, &scratch, Disk::None, progress)?)
}

/// The page's file: there as a whole, or as it was before.
struct Page {
    path: PathBuf,
    /// Beside it, until it is complete.
    hidden: TempDir,
    interrupt: Interrupt,
}

impl Page {
    fn begin(out: &Path, interrupt: &Interrupt) -> Result<Self, PeersError> {
        let directory = out.join("docs");
        let path = directory.join("benchmarks.md");
        let make = || {
            fs::create_dir_all(&directory)?;
            tempfile::Builder::new().prefix(".partial-").tempdir_in(&directory)
        };
        match make() {
            Ok(hidden) => {
                interrupt.remove(hidden.path());
                Ok(Self { path, hidden, interrupt: interrupt.clone() })
            }
            Err(source) => Err(PeersError::Page { page: path, source }),
        }
    }

    fn finish(self, text: &str) -> Result<PathBuf, PeersError> {
        let Self { path, hidden, interrupt } = self;
        let partial = hidden.path().join("benchmarks.md");
        let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, &path));
        interrupt.keep(hidden.path());
        match written {
            Ok(()) => Ok(path),
            Err(source) => Err(PeersError::Page { page: path, source }),
        }
    }
}

//! Commits into the log, many on their way at once.
//!
//! A commit is one append, so it is in the log as a whole or not at all, and it is there when its
//! author's event is: a later run knows by these what to leave out. Only a commit too large for
//! one append takes several. Its events have ids, so that a part that is in the log already, from
//! a run that was interrupted between two of them, is not appended again.

use std::{
    collections::HashSet,
    path::Path,
    process::Stdio,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use annals::{Annals, Pending};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    appends::Appends,
    events,
    git::Git,
    history::{Commit, History},
    stop::Stop,
    words::counted,
};

/// How many commits are on their way at once. More of them share a sync; each takes memory.
const IN_FLIGHT_MAX: usize = 1024;
/// A commit with more events is waited for at once: a thousand of those would fill the memory.
const IN_FLIGHT_EVENTS_MAX: usize = 1000;

/// What was done.
#[derive(Debug)]
pub(crate) struct Imported {
    /// How many commits were in the log before.
    pub(crate) before: u64,
    /// How many were appended.
    pub(crate) new: u64,
    /// How long that took, git's work and the last sync included.
    pub(crate) took: Duration,
    /// The commits that took more than one append, in words.
    pub(crate) splits: Vec<String>,
}

/// A commit whose append is on its way.
struct InFlight {
    commit: String,
    pending: Pending,
}

/// Brings every commit that leads to `head` into the log, which lies in `dir`.
pub(crate) fn all(annals: &Annals, git: &Git, head: &str, dir: &Path) -> Result<Imported, Stop> {
    let known = events::commits(annals)?;
    let before = u64::try_from(known.len())?;
    let (total, found) = count(git, head, &known)?;
    if found < before {
        return Err(strangers(before - found, dir));
    }
    let new = total - before;
    let bar = ProgressBar::new(new);
    let template = "{bar:40} {human_pos} of {human_len} commits, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template)?);
    let mut history = History::start(git, head, known)?;
    let splits = append_all(annals, &mut history, &bar)?;
    let took = bar.elapsed();
    bar.finish_and_clear();
    Ok(Imported { before, new, took, splits })
}

/// How many commits lead to `head`, and how many of these are known.
fn count(git: &Git, head: &str, known: &HashSet<String>) -> Result<(u64, u64), Stop> {
    let (mut total, mut found) = (0, 0);
    let mut list = git.start(&["rev-list", head, "--"], Stdio::null())?;
    let mut hash = Vec::new();
    while list.token(b'\n', &mut hash)? {
        total += 1;
        found += u64::from(str::from_utf8(&hash).is_ok_and(|hash| known.contains(hash)));
    }
    list.finish()?;
    Ok((total, found))
}

fn strangers(count: u64, dir: &Path) -> Stop {
    let (count, dir) = (counted(count, "commit"), dir.display());
    Stop::Disagreement(format!(
        "git disagrees: {dir} has {count} from outside the history of HEAD: it was written from \
         another branch or repository, or history was rewritten since; delete it, or choose \
         another with --dir"
    ))
}

/// Appends in this thread, waits in another.
fn append_all(
    annals: &Annals,
    history: &mut History,
    bar: &ProgressBar,
) -> Result<Vec<String>, Stop> {
    let (sender, receiver) = sync_channel(IN_FLIGHT_MAX);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("git-history-waiter".to_owned());
        let waiter = thread.spawn_scoped(scope, || wait_for_all(receiver, bar))?;
        let appended = append_each(annals, history, bar, &sender);
        // The waiter ends when nothing more can come.
        drop(sender);
        match waiter.join() {
            Ok(durable) => durable.and(appended),
            Err(_) => Err(Stop::failure("the thread that waits for appends panicked")),
        }
    })
}

fn append_each(
    annals: &Annals,
    history: &mut History,
    bar: &ProgressBar,
    sender: &SyncSender<InFlight>,
) -> Result<Vec<String>, Stop> {
    let mut appends = Appends::new(annals);
    let mut splits = Vec::new();
    while let Some(commit) = history.next()? {
        let events = events::of(&commit)?;
        if events.len() > IN_FLIGHT_EVENTS_MAX {
            let parts = appends.append_large(&commit.hash, events)?;
            bar.inc(1);
            splits.extend((parts > 1).then(|| split(&commit, parts)));
            continue;
        }
        let pending = annals.append(&appends.next(events));
        if sender.send(InFlight { commit: commit.hash, pending }).is_err() {
            // The waiter has ended, and says why.
            break;
        }
    }
    Ok(splits)
}

fn wait_for_all(receiver: Receiver<InFlight>, bar: &ProgressBar) -> Result<(), Stop> {
    for InFlight { commit, pending } in receiver {
        let waited = pending.wait();
        waited.map_err(|error| Stop::failure(format!("commit {commit}: {error}")))?;
        bar.inc(1);
    }
    Ok(())
}

fn split(commit: &Commit, parts: usize) -> String {
    let (hash, files) = (&commit.hash, commit.changes.len());
    format!("commit {hash} touches {files} files, too many for one append: it took {parts}")
}

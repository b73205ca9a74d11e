//! Whether git says the same as the log.
//!
//! The log was written from `git diff-tree`; here `git log` lists the paths of each commit, told
//! not to look for renames: a rename is then a path deleted and a path added, which is two events
//! in the log, too. The log is counted twice: event after event, and by the index's versions.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::ControlFlow,
    process::Stdio,
};

use annals::{Annals, LogQuery};

use crate::{
    git::{DIFF, Git},
    names::{self, AUTHORS, FILES},
    stop::Stop,
    words::counted,
};

/// How many events each stream has, or should have.
type Counts = BTreeMap<String, u64>;

/// Says that git agrees; the first difference is a [`Stop::Disagreement`].
pub(crate) fn agreement(annals: &Annals, git: &Git, head: &str) -> Result<String, Stop> {
    let files = count_names(git, &files_of_commits(head), FILES)?;
    let authors = count_names(git, &authors_of_commits(head), AUTHORS)?;
    let commits = git.commit_count(head)?;
    let (file_count, author_count) = (u64::try_from(files.len())?, u64::try_from(authors.len())?);
    let expected = files.into_iter().chain(authors).collect();
    compare("the log", &count_events(annals)?, &expected)?;
    compare("the index", &count_versions(annals), &expected)?;
    let of_authors = annals.streams(AUTHORS);
    let found: u64 = of_authors.iter().map(|(_, version)| version.get()).sum();
    if found != commits {
        let what = format!("git disagrees: {found} commits in the log, {commits} in git");
        return Err(Stop::Disagreement(what));
    }
    let [files, authors, commits] =
        [(file_count, "file"), (author_count, "author"), (commits, "commit")]
            .map(|(count, what)| counted(count, what));
    Ok(format!("git agrees: {files}, {authors}, {commits}"))
}

fn compare(what: &str, found: &Counts, expected: &Counts) -> Result<(), Stop> {
    let count = |counts: &Counts, name: &str| counts.get(name).copied().unwrap_or(0);
    let differs = |name: &&String| count(found, name) != count(expected, name);
    let first = expected.keys().chain(found.keys()).filter(differs).min();
    first.map_or(Ok(()), |name| {
        let (found, expected) = (count(found, name), count(expected, name));
        Err(Stop::Disagreement(format!(
            "git disagrees: {name} has {found} events in {what}, and {expected} commits in git"
        )))
    })
}

/// The log's events, by stream, one after the other.
fn count_events(annals: &Annals) -> Result<Counts, Stop> {
    let mut counts = HashMap::new();
    annals.read_all(LogQuery::forward()).visit(|event| {
        count(&mut counts, event.stream);
        ControlFlow::Continue(())
    })?;
    Ok(counts.into_iter().collect())
}

fn count_versions(annals: &Annals) -> Counts {
    let streams = annals.streams("").into_iter();
    streams.map(|(stream, version)| (stream.to_string(), version.get())).collect()
}

fn files_of_commits(head: &str) -> Vec<&str> {
    [&["log", "--format=", "--name-only", "--no-renames"], DIFF, &[head, "--"]].concat()
}

fn authors_of_commits(head: &str) -> Vec<&str> {
    vec!["log", "-z", "--format=%an <%ae>", head, "--"]
}

/// How often git names each file or author, by stream.
fn count_names(git: &Git, arguments: &[&str], prefix: &str) -> Result<Counts, Stop> {
    let mut names = HashMap::new();
    let mut log = git.start(arguments, Stdio::null())?;
    let mut name = Vec::new();
    while log.token(0, &mut name)? {
        // Some versions of git put an empty name between two commits.
        if !name.is_empty() {
            count(&mut names, name.as_slice());
        }
    }
    log.finish()?;
    let mut counts = Counts::new();
    for (name, count) in names {
        let stream = names::stream(prefix, &name)?.to_string();
        if counts.contains_key(&stream) {
            let what = format!("git disagrees: it has two names for {stream}");
            return Err(Stop::Disagreement(what));
        }
        counts.insert(stream, count);
    }
    Ok(counts)
}

/// One more. Names are many, and few are new.
fn count<K, Q>(counts: &mut HashMap<K, u64>, name: &Q)
where
    K: Borrow<Q> + Hash + Eq,
    Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
{
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

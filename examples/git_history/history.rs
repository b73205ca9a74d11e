//! The commits of a repository, parents first, read while git writes them.
//!
//! Two gits run: `rev-list` names the commits, a thread passes on those that are not in the log
//! yet, and `diff-tree` says what each of them changed. Both are made for programs, and nothing
//! is held but the commit at hand.

use std::{
    collections::HashSet,
    io::{self, BufWriter, ErrorKind, Write},
    process::{ChildStdin, Stdio},
    thread::{self, JoinHandle},
};

use crate::{
    git::{DIFF, Git, Running},
    raw::{Change, Line},
    stop::Stop,
};

/// What is asked of a commit besides its changes; each field ends with a NUL.
const FORMAT: &str = "--format=%H%x00%an <%ae>%x00%at%x00%P%x00%s";

/// A commit.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) hash: String,
    /// Name and address, as the commit has them.
    pub(crate) author: Vec<u8>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) time: i64,
    pub(crate) parents: usize,
    pub(crate) subject: String,
    /// By path.
    pub(crate) changes: Vec<Change>,
}

/// The commits that are not known, one after the other.
#[derive(Debug)]
pub(crate) struct History {
    diff: Running,
    feeder: Option<JoinHandle<Result<(), Stop>>>,
    /// What was read last: the next commit's hash, between commits.
    token: Vec<u8>,
}

impl History {
    /// Every commit that leads to `head`, without those that are known.
    pub(crate) fn start(git: &Git, head: &str, known: HashSet<String>) -> Result<Self, Stop> {
        let list = ["rev-list", "--reverse", "--date-order", head, "--"];
        let list = git.start(&list, Stdio::null())?;
        // `-l` is git's own default: it may be configured.
        let options = ["--stdin", "--root", "--always", "--raw", "--no-abbrev", "-M", "-l1000"];
        let arguments = [&["diff-tree"], &options[..], DIFF, &[FORMAT]].concat();
        let mut diff = git.start(&arguments, Stdio::piped())?;
        let input = diff.take_input()?;
        let thread = thread::Builder::new().name("git-history-feeder".to_owned());
        let feeder = thread.spawn(move || feed(list, input, &known))?;
        Ok(Self { diff, feeder: Some(feeder), token: Vec::new() })
    }

    /// The next commit. `None`: that was all.
    pub(crate) fn next(&mut self) -> Result<Option<Commit>, Stop> {
        if self.token.is_empty() && !self.diff.token(0, &mut self.token)? {
            self.finish()?;
            return Ok(None);
        }
        let hash = text(&self.token);
        let author = self.field()?;
        let time = text(&self.field()?).parse().unwrap_or(0);
        let parents = text(&self.field()?).split_whitespace().count();
        let subject = text(&self.field()?);
        let mut changes = self.changes()?;
        changes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(Some(Commit { hash, author, time, parents, subject, changes }))
    }

    /// Reads changes until what was read last is something else.
    fn changes(&mut self) -> Result<Vec<Change>, Stop> {
        let mut changes = Vec::new();
        while self.diff.token(0, &mut self.token)? {
            let token = std::mem::take(&mut self.token);
            let Some(line) = Line::parse(&token) else {
                self.token = token;
                break;
            };
            let line = line?;
            let source = if line.is_rename() { self.field()? } else { Vec::new() };
            let path = self.field()?;
            changes.extend(line.change_of_source(&source, &path));
            changes.push(line.change(path, source)?);
        }
        Ok(changes)
    }

    fn field(&mut self) -> Result<Vec<u8>, Stop> {
        let mut field = Vec::new();
        if self.diff.token(0, &mut field)? {
            return Ok(field);
        }
        self.finish()?;
        Err(Stop::failure("`git diff-tree` ended within a commit"))
    }

    fn finish(&mut self) -> Result<(), Stop> {
        // First who may be the cause of the other's end.
        let fed = self.feeder.take().map(JoinHandle::join);
        self.diff.finish()?;
        match fed {
            Some(Ok(fed)) => fed,
            Some(Err(_)) => Err(Stop::failure("the thread that feeds git panicked")),
            None => Ok(()),
        }
    }
}

/// Passes on the names of the commits that are not known.
fn feed(mut list: Running, input: ChildStdin, known: &HashSet<String>) -> Result<(), Stop> {
    let mut input = BufWriter::new(input);
    let mut hash = Vec::new();
    while list.token(b'\n', &mut hash)? {
        if str::from_utf8(&hash).is_ok_and(|hash| known.contains(hash)) {
            continue;
        }
        hash.push(b'\n');
        if !is_taken(input.write_all(&hash))? {
            return Ok(());
        }
    }
    is_taken(input.flush())?;
    list.finish()
}

/// False: the reader is gone, and says why.
fn is_taken(written: io::Result<()>) -> Result<bool, Stop> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

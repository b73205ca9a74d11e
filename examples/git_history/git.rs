//! git, called as a program. Nothing here depends on the user's configuration or environment,
//! except where a repository is and whom it is trusted to.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
};

use crate::stop::Stop;

/// Variables that lead git to another repository than the one asked for: set in hooks, say.
const ELSEWHERE: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Settings that have no option of their own in the commands that are used here.
const SETTINGS: &[&str] = &[
    "-c",
    "core.quotePath=false",
    "-c",
    "i18n.logOutputEncoding=UTF-8",
    "-c",
    "log.showRoot=true",
    "-c",
    "log.showSignature=false",
];

/// What a diff between two commits says, whatever is configured.
pub(crate) const DIFF: &[&str] = &[
    "--diff-merges=first-parent",
    "--ignore-submodules=none",
    "--no-color",
    "--no-ext-diff",
    "--no-relative",
    "-O/dev/null",
    "-r",
    "-z",
];

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    path: PathBuf,
}

/// A git that is running, and what it prints.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    what: String,
}

impl Git {
    /// The repository that `path` belongs to.
    pub(crate) fn open(path: &Path) -> Result<Self, Stop> {
        let shown = path.display();
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(Stop::failure(format!("{shown} is a file, not a repository"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Stop::failure(format!("{shown} does not exist")));
            }
            Err(error) => return Err(Stop::failure(format!("cannot look at {shown}: {error}"))),
        }
        let git = Self { path: path.to_owned() };
        let output = git.output(&["rev-parse", "--git-dir"])?;
        if !output.status.success() {
            let why = message(&output);
            return Err(Stop::failure(format!("git does not take {shown} as a repository: {why}")));
        }
        Ok(git)
    }

    /// The commit that `HEAD` leads to. `None`: there are none on its branch.
    pub(crate) fn head(&self) -> Result<Option<String>, Stop> {
        let head = self.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        if head.is_some() {
            return Ok(head);
        }
        let branch = self.ask(&["symbolic-ref", "--quiet", "HEAD"])?.unwrap_or_default();
        match self.ask(&["show-ref", "--verify", "--quiet", &branch])? {
            None => Ok(None),
            Some(_) => Err(Stop::failure("HEAD does not lead to a commit; try `git fsck`")),
        }
    }

    pub(crate) fn is_shallow(&self) -> Result<bool, Stop> {
        Ok(self.ask(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
    }

    /// The name of the directory that it lies in.
    pub(crate) fn name(&self) -> OsString {
        let up = self.ask(&["rev-parse", "--show-cdup"]).ok().flatten().unwrap_or_default();
        let path = self.path.join(up);
        let path = path.canonicalize().unwrap_or(path);
        let path = if path.ends_with(".git") { path.parent().unwrap_or(&path) } else { &path };
        path.file_name().map_or_else(|| OsString::from("repository"), OsString::from)
    }

    /// How many commits lead to this one, itself included.
    pub(crate) fn commit_count(&self, head: &str) -> Result<u64, Stop> {
        let count = self.ask(&["rev-list", "--count", head, "--"])?.unwrap_or_default();
        Ok(count.parse()?)
    }

    /// Its answer in one line. `None`: it said no.
    fn ask(&self, arguments: &[&str]) -> Result<Option<String>, Stop> {
        let output = self.output(arguments)?;
        match output.status.code() {
            Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())),
            Some(1) => Ok(None),
            _ => {
                let (what, why) = (arguments.join(" "), message(&output));
                Err(Stop::failure(format!("`git {what}` failed: {why}")))
            }
        }
    }

    fn output(&self, arguments: &[&str]) -> Result<Output, Stop> {
        self.command(arguments).stdin(Stdio::null()).output().map_err(|error| not_started(&error))
    }

    /// Starts a git whose output is read while it runs. Its complaints go to the user.
    pub(crate) fn start(&self, arguments: &[&str], input: Stdio) -> Result<Running, Stop> {
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| not_started(&error))?;
        let output = child.stdout.take().ok_or_else(|| Stop::failure("git has no stdout"))?;
        let what = arguments.first().copied().unwrap_or_default().to_owned();
        Ok(Running { child, output: BufReader::with_capacity(1 << 16, output), what })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["--no-pager", "--literal-pathspecs"]).args(SETTINGS);
        command.arg("-C").arg(&self.path).args(arguments);
        command.envs([("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")]);
        for variable in ELSEWHERE {
            command.env_remove(variable);
        }
        command
    }
}

impl Running {
    /// What it reads from.
    pub(crate) fn take_input(&mut self) -> Result<ChildStdin, Stop> {
        self.child.stdin.take().ok_or_else(|| Stop::failure("git has no stdin"))
    }

    /// Reads up to `end`, which is left out. False: there is nothing more.
    pub(crate) fn token(&mut self, end: u8, token: &mut Vec<u8>) -> Result<bool, Stop> {
        token.clear();
        let length = self.output.read_until(end, token)?;
        if token.last() == Some(&end) {
            token.pop();
        }
        Ok(length > 0)
    }

    /// Whether it went well; to be called when there is nothing more to read.
    pub(crate) fn finish(&mut self) -> Result<(), Stop> {
        let status = self.child.wait()?;
        let what = &self.what;
        if status.success() {
            return Ok(());
        }
        Err(Stop::failure(format!("`git {what}` failed ({status}); it said above why")))
    }
}

fn not_started(error: &io::Error) -> Stop {
    if error.kind() == ErrorKind::NotFound {
        return Stop::failure("there is no `git` in PATH; install it, or set PATH");
    }
    Stop::failure(format!("cannot start git: {error}"))
}

/// What git complained of.
fn message(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim_end();
    if said.is_empty() { output.status.to_string() } else { said.to_owned() }
}

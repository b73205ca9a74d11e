//! A Postgres server of the report's own, on a unix socket in a directory that is gone afterwards.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{
    error::{BenchError, io_error},
    interrupt::Interrupt,
    report::error::ReportError,
    scratch,
};

/// What the server runs as if this program runs as root, which Postgres refuses.
const NOBODY: u32 = 65_534;

/// The name of the database's owner.
const USER: &str = "owner";

/// A running server. Stopped when it is dropped, or by Ctrl-C.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    postmaster: Child,
    pub(crate) process: Pid,
    pub(crate) version: String,
    /// Both are gone after the server has stopped.
    socket: TempDir,
    directory: TempDir,
}

/// Where the programs of Postgres are, and where they run.
#[derive(Debug)]
struct Programs {
    folder: PathBuf,
    directory: PathBuf,
    interrupt: Interrupt,
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_mins(2);

/// The programs of Postgres: where Debian has them, newest first, or in the path.
fn programs() -> Option<PathBuf> {
    let in_path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    debian.reverse();
    // A link in the path to one program alone is not where the others are.
    debian.into_iter().chain(env::split_paths(&in_path)).find(|folder| {
        ["initdb", "pg_isready", "postgres", "psql"].iter().all(|name| folder.join(name).exists())
    })
}

impl Server {
    /// Starts one whose data lie in `parent`, on the disk that is measured.
    ///
    /// # Errors
    /// [`ReportError::NoServer`]: why there is none.
    pub fn start(parent: &Path, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let folder = programs().ok_or_else(|| {
            no_server("Postgres was not found; install it, or put its programs into the path")
        })?;
        let directory = scratch::temporary(parent, "annals-bench-postgres-", "--dir", interrupt)?;
        // A path of a socket has at most 107 bytes.
        let socket = scratch::temporary(&env::temp_dir(), "annals-bench-", "TMPDIR", interrupt)?;
        let root = directory.path().canonicalize().map_err(io_error("find the server's files"))?;
        if geteuid().is_root() {
            let own = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY));
            own(&root)
                .and_then(|()| own(socket.path()))
                .map_err(io_error("give the server files"))?;
        }
        let programs = Programs { folder, directory: root, interrupt: interrupt.clone() };
        let version = programs.run("postgres", &["--version"])?;
        let data = programs.directory.join("data").display().to_string();
        programs
            .run("initdb", &["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "-D", &data])?;
        let mut postmaster = programs.command("postgres", &["-D", &data]);
        let file = fs::File::create(programs.directory.join("log"));
        let log = file.map_err(io_error("begin the server's log"))?;
        postmaster.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        for setting in settings(socket.path()) {
            postmaster.args(["-c", &setting]);
        }
        let postmaster = postmaster.spawn().map_err(|error| no_server(&error.to_string()))?;
        let process = Pid::from_child(&postmaster);
        interrupt.stop(process, Signal::QUIT);
        let mut server = Self { programs, postmaster, process, version, socket, directory };
        server.wait()?;
        Ok(server)
    }

    /// Until it answers.
    fn wait(&mut self) -> Result<(), BenchError> {
        let started = Instant::now();
        let host = self.socket.path().display().to_string();
        while self.programs.run("pg_isready", &["-q", "-h", &host, "-U", USER]).is_err() {
            let ended = self.postmaster.try_wait().map_err(io_error("look at the server"))?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.directory.path().join("log"));
                let log = log.unwrap_or_default();
                let last = log.lines().next_back().unwrap_or("it says nothing");
                return Err(no_server(&format!("it does not start: {last}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How to connect.
    pub fn connection(&self) -> String {
        format!("host={} port=5432 user={USER} dbname=postgres", self.socket.path().display())
    }

    /// How often the server synced its log since it was started.
    pub(crate) fn syncs(&self) -> Option<u64> {
        let query = "SELECT wal_sync FROM pg_stat_wal";
        let output = self.programs.run("psql", &["-qAtX", "-d", &self.connection(), "-c", query]);
        output.ok()?.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; its files go in any case.
        let _ = kill_process(self.process, Signal::QUIT);
        drop(self.postmaster.wait());
        self.programs.interrupt.ended(self.process);
    }
}

fn settings(socket: &Path) -> [String; 5] {
    [
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", socket.display()),
        "max_connections=200".to_owned(),
        "fsync=on".to_owned(),
        "synchronous_commit=on".to_owned(),
    ]
}

fn no_server(why: &str) -> BenchError {
    ReportError::NoServer(why.to_owned()).into()
}

impl Programs {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.join(program));
        // Ctrl-C is told to this program, which stops the server.
        command.args(arguments).current_dir(&self.directory).process_group(0);
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Runs a program to its end; returns what it prints.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, BenchError> {
        let failed = |error: std::io::Error| no_server(&format!("{program}: {error}"));
        let mut command = self.command(program, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        let process = Pid::from_child(&child);
        self.interrupt.stop(process, Signal::KILL);
        let output = child.wait_with_output();
        self.interrupt.ended(process);
        let output = output.map_err(failed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(no_server(&format!("{program}: {} {}", text(&output.stdout), text(&output.stderr))))
    }
}

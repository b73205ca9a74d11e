//! A Postgres server of the report's own, on a unix socket in a directory that is gone afterwards.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, geteuid};

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
pub(crate) struct Server {
    programs: PathBuf,
    /// Dropped after the server has stopped.
    directory: tempfile::TempDir,
    pub(crate) process: Pid,
    pub(crate) version: String,
    socket: tempfile::TempDir,
    interrupt: Interrupt,
}

/// The programs of Postgres: where Debian has them, newest first, or in the path.
fn programs() -> Option<PathBuf> {
    let in_path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    debian.reverse();
    // A link in the path to one program alone is not where the others are.
    debian.into_iter().chain(env::split_paths(&in_path)).find(|folder| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists())
    })
}

impl Server {
    /// Starts one whose data lie in `parent`, on the disk that is measured.
    ///
    /// # Errors
    /// [`ReportError::NoServer`]: why there is none.
    pub(crate) fn start(parent: &Path, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let programs = programs().ok_or_else(|| {
            no_server("Postgres was not found; install it, or put initdb and pg_ctl into the path")
        })?;
        let directory = scratch::temporary(parent, "annals-bench-postgres-", "--dir", interrupt)?;
        let root = directory.path().canonicalize().map_err(io_error("find the server's files"))?;
        if geteuid().is_root() {
            chown(&root, Some(NOBODY), Some(NOBODY))
                .map_err(io_error("give the server its files"))?;
        }
        // A path of a socket has at most 107 bytes.
        let socket = socket_directory(interrupt)?;
        let run = |program: &str, arguments: &[&str]| run(&programs, &root, program, arguments);
        let data = root.join("data").display().to_string();
        let socket_path = socket.path().display().to_string();
        run("initdb", &["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "-D", &data])?;
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{socket_path}'\n\
             max_connections = 200\nfsync = on\nsynchronous_commit = on\n"
        );
        let file = root.join("data/postgresql.conf");
        let before = fs::read_to_string(&file).map_err(io_error("read the server's settings"))?;
        fs::write(&file, before + &settings).map_err(io_error("write the server's settings"))?;
        let log = root.join("log").display().to_string();
        run("pg_ctl", &["start", "-s", "-w", "-t", "120", "-l", &log, "-D", &data])?;
        let version = run("postgres", &["--version"])?;
        let first = fs::read_to_string(root.join("data/postmaster.pid")).unwrap_or_default();
        let process = first.lines().next().and_then(|id| Pid::from_raw(id.trim().parse().ok()?));
        let process = process.ok_or_else(|| no_server("it does not say which process it is"))?;
        interrupt.stop(process, Signal::QUIT);
        let interrupt = interrupt.clone();
        Ok(Self { programs, directory, process, version, socket, interrupt })
    }

    /// How to connect.
    pub(crate) fn connection(&self) -> String {
        format!("host={} port=5432 user={USER} dbname=postgres", self.socket.path().display())
    }

    /// How often the server synced its log since it was started.
    pub(crate) fn syncs(&self) -> Option<u64> {
        let query = "SELECT wal_sync FROM pg_stat_wal";
        let arguments = ["-qAtX", "-d", &self.connection(), "-c", query];
        let output = run(&self.programs, self.directory.path(), "psql", &arguments);
        output.ok()?.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.directory.path().join("data").display().to_string();
        let stop = ["stop", "-s", "-m", "immediate", "-D", &data];
        // It may have ended by itself; its files go in any case.
        drop(run(&self.programs, self.directory.path(), "pg_ctl", &stop));
        self.interrupt.ended(self.process);
    }
}

fn socket_directory(interrupt: &Interrupt) -> Result<tempfile::TempDir, BenchError> {
    let socket = scratch::temporary(&env::temp_dir(), "annals-bench-", "TMPDIR", interrupt)?;
    if geteuid().is_root() {
        let owned = chown(socket.path(), Some(NOBODY), Some(NOBODY));
        owned.map_err(io_error("give the server its socket"))?;
    }
    Ok(socket)
}

fn no_server(why: &str) -> BenchError {
    ReportError::NoServer(why.to_owned()).into()
}

/// Runs a program of Postgres to its end; returns what it prints.
fn run(
    programs: &Path,
    directory: &Path,
    program: &str,
    arguments: &[&str],
) -> Result<String, BenchError> {
    let mut command = Command::new(programs.join(program));
    // Ctrl-C is told to this program, which stops the server.
    command.args(arguments).current_dir(directory).process_group(0);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().map_err(|error| no_server(&format!("{program}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(no_server(&format!("{program}: {} {}", text(&output.stdout), text(&output.stderr))))
}

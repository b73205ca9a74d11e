//! A server of the tests' own: on a unix socket in a temporary directory, gone with the tests.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Output},
    sync::{
        Mutex,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use annals_postgres::Settings;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// What the tests' server may be run as, if the tests run as root.
const NOBODY: u32 = 65_534;

/// The programs of Postgres: in the path, so that one can say which, or where Debian has them, newest
/// first. `ANNALS_POSTGRES_VERSIONS` says that they are elsewhere.
pub(crate) fn programs() -> Option<PathBuf> {
    let in_path = env::var_os("PATH").unwrap_or_default();
    let versions = env::var_os("ANNALS_POSTGRES_VERSIONS");
    let versions = versions.unwrap_or_else(|| OsString::from("/usr/lib/postgresql"));
    let versions = fs::read_dir(versions).into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    debian.sort();
    debian.reverse();
    // A link in the path to one program alone is not where the others are.
    env::split_paths(&in_path)
        .chain(debian)
        .find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).exists()))
}

/// A running server. Stopped when it is dropped.
pub(crate) struct Server {
    programs: PathBuf,
    directory: TempDir,
    postmaster: Mutex<Option<Child>>,
    names: AtomicU32,
    port: AtomicU16,
}

impl Server {
    pub(crate) fn start(programs: PathBuf) -> Self {
        // Not below a directory that only root may enter.
        let directory = tempfile::Builder::new().prefix("annals-postgres").tempdir().unwrap();
        if geteuid().is_root() {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let (postmaster, names) = (Mutex::new(None), AtomicU32::new(0));
        let server = Self { programs, directory, postmaster, names, port: AtomicU16::new(5432) };
        server.make();
        let data = server.data();
        let socket = server.directory.path().display();
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{socket}'\nmax_connections = 200\n\
             log_min_messages = log\nmax_wal_size = 64MB\ninclude = 'sync.conf'\n"
        );
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, before + &settings).unwrap();
        server.begin();
        server
    }

    fn make(&self) {
        let mut initdb = self.program("initdb");
        initdb.args(["-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        let Output { status, stdout, stderr } = initdb.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(status.success(), "initdb: {}{}", text(&stdout), text(&stderr));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// From now on it can also be reached on this port, with the certificate in its directory.
    pub(crate) fn listen_with_tls(&self) -> u16 {
        for file in ["server.crt", "server.key"] {
            if geteuid().is_root() {
                chown(self.data().join(file), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        self.crash();
        let file = self.data().join("postgresql.conf");
        let before = fs::read_to_string(&file).unwrap();
        let settings = format!("listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n");
        fs::write(&file, before + &settings).unwrap();
        self.port.store(port, Ordering::Relaxed);
        self.begin();
        port
    }

    /// Starts it after it was stopped.
    ///
    /// After a crash it would sync every file it has, lest the machine had crashed as well; that
    /// takes most of the time, so only what comes afterwards is synced.
    pub(crate) fn begin(&self) {
        let sync = self.data().join("sync.conf");
        fs::write(&sync, "fsync = off\n").unwrap();
        let log = fs::File::options().append(true).create(true).open(self.log()).unwrap();
        let mut postgres = self.program("postgres");
        postgres.stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = postgres.spawn().unwrap();
        while !self.is_ready(child.id()) {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(self.log()).unwrap());
            thread::sleep(Duration::from_millis(1));
        }
        *self.postmaster.lock().unwrap() = Some(child);
        fs::write(&sync, "fsync = on\n").unwrap();
        self.tell(Signal::HUP);
    }

    /// As `pg_ctl` knows it, which would look ten times a second: it writes its number into the
    /// first line of its lock file, and how it is into the eighth.
    fn is_ready(&self, postmaster: u32) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<_> = file.lines().map(str::trim).collect();
        lines.first() == Some(&postmaster.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    /// Stops it as a crash would: nobody is told, nothing is written.
    pub(crate) fn crash(&self) {
        self.tell(Signal::QUIT);
        let postmaster = self.postmaster.lock().unwrap().take();
        if let Some(mut postmaster) = postmaster {
            postmaster.wait().unwrap();
        }
    }

    fn tell(&self, signal: Signal) {
        if let Some(postmaster) = &*self.postmaster.lock().unwrap() {
            kill_process(Pid::from_child(postmaster), signal).unwrap();
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.arg("-D").arg(self.data()).current_dir(self.directory.path());
        if geteuid().is_root() {
            // Postgres refuses to run as root.
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// How to connect, to a schema that nobody has used.
    pub(crate) fn settings(&self) -> Settings {
        self.settings_of(&self.schema())
    }

    /// The name of a schema that nobody has used, and that must be quoted.
    pub(crate) fn schema(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("Schema \"{number}\"")
    }

    /// Where its socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn settings_of(&self, schema: &str) -> Settings {
        Settings::parse(&self.connection("owner")).unwrap().schema(schema)
    }

    pub(crate) fn connection(&self, user: &str) -> String {
        let (host, port) = (self.directory.path().display(), self.port.load(Ordering::Relaxed));
        format!("host={host} port={port} user={user} dbname=postgres")
    }

    /// From now on this role must prove who it is.
    pub(crate) fn require_password_of(&self, role: &str) {
        let file = self.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("local all {role} scram-sha-256\n{rules}")).unwrap();
        self.tell(Signal::HUP);
        // The server reads it when it gets to it.
        let mut psql = Command::new("psql");
        psql.args(["-w", "-qX", "-d", &self.connection(role), "-c", "SELECT 1"]);
        while psql.output().unwrap().status.success() {}
    }

    /// Runs SQL as the owner.
    pub(crate) fn sql(&self, text: &str) {
        self.query(text);
    }

    /// Runs SQL as the owner, and returns what it says.
    pub(crate) fn query(&self, text: &str) -> String {
        let connection = self.connection("owner");
        let mut psql = Command::new("psql");
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", &connection, "-c", text]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let end: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        self.crash();
    }
}

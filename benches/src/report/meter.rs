//! What a run takes of the machine, from its first command to its last answer.

use std::time::Instant;

use crate::{process, report::server_processes};

/// Names the process id of the Postgres server that a run uses, for processor time and bytes.
pub const SERVER_VARIABLE: &str = "ANNALS_BENCH_SERVER";

/// Runs from the first command of a run to its last answer.
#[derive(Debug)]
pub struct Meter {
    server: Option<u32>,
    before: Files,
    cpu_seconds: f64,
    started: Instant,
}

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// From the first command to the last answer.
    pub seconds: f64,
    /// Processor time of this process meanwhile.
    pub cpu_seconds: f64,
    /// Processor time of the server's processes meanwhile, if there is a server.
    pub server_cpu_seconds: Option<f64>,
    /// Bytes that this process, and the server's, had the system write meanwhile. Pages count when
    /// they become dirty; `None`: the system does not say.
    pub written_bytes: Option<u64>,
    /// The most memory that this process had since the meter started, pages of mapped files
    /// included; `None`: the system does not say.
    pub peak_memory_bytes: Option<u64>,
}

/// What stands in files of the system. To read them takes time, which must not count.
#[derive(Debug, Clone, Copy)]
struct Files {
    server_cpu_seconds: Option<f64>,
    written_bytes: Option<u64>,
}

impl Files {
    fn read(server: Option<u32>) -> Self {
        let server = server.map(server_processes::usage);
        let own = process::written_bytes(std::process::id());
        let of_server = server.map_or(Some(0), |usage| usage.written_bytes);
        Self {
            server_cpu_seconds: server.map(|usage| usage.cpu_seconds),
            written_bytes: own.zip(of_server).map(|(own, server)| own + server),
        }
    }
}

impl Meter {
    /// Starts now: everything that is prepared is there. The server is the one that
    /// [`SERVER_VARIABLE`] names, if it is set.
    pub fn start() -> Self {
        let server = std::env::var(SERVER_VARIABLE).ok().and_then(|id| id.parse().ok());
        process::forget_peak_memory();
        let before = Files::read(server);
        let cpu_seconds = process::cpu_seconds();
        Self { server, before, cpu_seconds, started: Instant::now() }
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The last answer is there.
    pub fn stop(self) -> Spent {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu_seconds = process::cpu_seconds() - self.cpu_seconds;
        let (before, after) = (self.before, Files::read(self.server));
        let server = after.server_cpu_seconds.zip(before.server_cpu_seconds);
        let written = after.written_bytes.zip(before.written_bytes);
        Spent {
            seconds,
            cpu_seconds,
            server_cpu_seconds: server.map(|(after, before)| (after - before).max(0.0)),
            written_bytes: written.map(|(after, before)| after.saturating_sub(before)),
            peak_memory_bytes: process::peak_memory(),
        }
    }
}

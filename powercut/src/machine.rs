//! Where and of what it was measured.

use std::{fs, thread};

use jiff::Timestamp;

use crate::programs;

/// A machine, and the state of the project.
#[derive(Debug)]
pub(crate) struct Machine {
    date: String,
    processor: String,
    memory: String,
    kernel: String,
    load: String,
    commit: String,
    seed: u64,
}

impl Machine {
    /// What this machine says of itself.
    pub(crate) fn look(seed: u64) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
            line.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let load: Vec<String> =
            read("/proc/loadavg").split_whitespace().take(3).map(str::to_owned).collect();
        Self {
            date: Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            processor: format!("{}, {cores} cores", field(&read("/proc/cpuinfo"), "model name")),
            memory: field(&read("/proc/meminfo"), "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.join(" "),
            commit: commit(),
            seed,
        }
    }

    pub(crate) fn day(&self) -> &str {
        self.date.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn lines(&self) -> [(&'static str, String); 7] {
        [
            ("date", self.date.clone()),
            ("commit", self.commit.clone()),
            ("seed", self.seed.to_string()),
            ("processor", self.processor.clone()),
            ("memory", self.memory.clone()),
            ("kernel", self.kernel.clone()),
            ("load before", self.load.clone()),
        ]
    }
}

/// The commit, and whether anything differs from it.
fn commit() -> String {
    let git = |arguments: &[&str]| programs::run("git", arguments).ok();
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}, with changes"),
    }
}

//! Where it was measured. A figure without its machine means nothing.

use std::{fs, path::Path, process::Command};

use jiff::Timestamp;

/// The machine, its state, and what was measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Machine {
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
    /// Of one, five and fifteen minutes, before it began.
    pub(crate) load: String,
    /// How much memory was touched first, which `crate::memory` does.
    pub(crate) memory_touched: String,
    pub(crate) commit: String,
}

impl Machine {
    /// What this machine says of itself; `dir`: where logs lie.
    pub fn look(dir: &Path) -> Self {
        let lines = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = field(&lines("/proc/cpuinfo"), "model name");
        let memory = field(&lines("/proc/meminfo"), "MemTotal");
        let load = lines("/proc/loadavg");
        let load: Vec<_> = load.split_whitespace().take(3).collect();
        Self {
            date: Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory,
            kernel: known(lines("/proc/sys/kernel/osrelease").trim()),
            file_system: file_system(&lines("/proc/self/mounts"), dir),
            load: known(&load.join(" ")),
            memory_touched: "none".to_owned(),
            commit: commit(),
        }
    }

    /// The day, and the kind of machine: what a record is named after.
    pub fn record_name(&self) -> String {
        let day = self.date.split(' ').next().unwrap_or_default();
        format!("{day}-{}-{}-cores", slug(&self.cpu), self.cores)
    }

    /// Short lines for the corner of a plot.
    pub fn footer(&self) -> [String; 3] {
        let machine = format!("{}, {} cores", self.cpu, self.cores);
        [machine, self.date.clone(), self.commit.clone()]
    }

    /// What it says of itself, for people.
    pub fn lines(&self) -> [(&'static str, String); 8] {
        [
            ("date", self.date.clone()),
            ("processor", format!("{}, {} cores", self.cpu, self.cores)),
            ("memory", self.memory.clone()),
            ("kernel", self.kernel.clone()),
            ("file system", self.file_system.clone()),
            ("load average before", self.load.clone()),
            ("memory touched first", self.memory_touched.clone()),
            ("commit", self.commit.clone()),
        ]
    }
}

fn known(text: &str) -> String {
    if text.is_empty() { "unknown".to_owned() } else { text.to_owned() }
}

/// The first value of a name in `name : value` lines.
fn field(text: &str, name: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.into_iter().find(|(key, _)| key.trim() == name);
    known(found.map_or("", |(_, value)| value.trim()))
}

/// The type and the options of the file system that has a directory.
fn file_system(mounts: &str, dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?, fields.next()?))
    });
    let holding = mounted.filter(|(at, ..)| dir.starts_with(at));
    // Of two on the same path, the later one is seen.
    let found = holding.max_by_key(|(at, ..)| at.components().count());
    known(&found.map_or_else(String::new, |(_, kind, options)| format!("{kind} ({options})")))
}

/// The commit that is measured, and whether there are changes since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let hash = known(&git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default());
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    if changes.is_empty() { hash } else { format!("{hash}, with changes") }
}

/// Lower-case letters and digits, with hyphens between.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_file_system_is_found() {
        let mounts = "/dev/a / ext4 rw,relatime 0 0\ntmpfs / tmpfs rw 0 0\nproc /proc proc ro 0 0";
        assert_eq!(file_system(mounts, Path::new("/nowhere")), "tmpfs (rw)");
        assert_eq!(file_system(mounts, Path::new("/proc/self")), "proc (ro)");
        assert_eq!(file_system("", Path::new("/")), "unknown");
    }

    #[test]
    fn records_are_named_after_the_day_and_the_machine() {
        let machine = Machine {
            date: "2026-11-23 09:00 UTC".to_owned(),
            cpu: "AMD EPYC (tm) 7B13".to_owned(),
            cores: 2,
            ..Machine::look(Path::new("/"))
        };
        assert_eq!(machine.record_name(), "2026-11-23-amd-epyc-tm-7b13-2-cores");
        assert_eq!(field("a : 1\nmodel name\t: X\n", "model name"), "X");
        assert_eq!(field("", "model name"), "unknown");
    }
}

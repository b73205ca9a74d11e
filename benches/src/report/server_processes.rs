//! What the processes of a server took so far.

use std::{collections::HashMap, fs};

use crate::process;

/// What the processes of a server took so far, those that ended included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    /// `None`: this user may not know.
    pub(crate) written_bytes: Option<u64>,
}

/// Of a process and those that it started. 0 where the system does not say.
pub(crate) fn usage(server: u32) -> Usage {
    let all = all_processes();
    let mut usage = Usage { cpu_seconds: 0.0, written_bytes: Some(0) };
    let mut left = vec![server];
    while let Some(id) = left.pop() {
        if let Some(process) = all.get(&id) {
            usage.cpu_seconds += process.ticks / ticks_per_second();
            let sum = usage.written_bytes.zip(process::written_bytes(id));
            usage.written_bytes = sum.map(|(sum, own)| sum + own);
        }
        left.extend(all.iter().filter(|(_, process)| process.parent == id).map(|(id, _)| *id));
    }
    usage
}

fn ticks_per_second() -> f64 {
    crate::number::float(rustix::param::clock_ticks_per_second().max(1))
}

struct Process {
    parent: u32,
    /// Its own, and those of children that it has seen end.
    ticks: f64,
}

fn all_processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some((id, parse(&text)?))
    })
    .collect()
}

/// `proc_pid_stat(5)`. The name, in parentheses, may contain anything.
fn parse(text: &str) -> Option<Process> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<f64>().unwrap_or(0.0)).sum();
    Some(Process { parent, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_parents_are_found_behind_any_name() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4 100 200 0 0 11 12 13 14 20 0 1 0 5 6";
        let process = parse(text).unwrap();
        assert_eq!((process.parent, process.ticks), (3, 50.0));
        assert!(parse("").is_none() && parse("7 (a) S 3").is_none());
    }

    #[test]
    fn children_count_while_they_run_and_after_they_ended() {
        let own = std::process::id();
        let before = usage(own);
        let mut child = std::process::Command::new("sh");
        child.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        assert!(child.status().unwrap().success());
        assert!(usage(own).cpu_seconds > before.cpu_seconds);
    }
}

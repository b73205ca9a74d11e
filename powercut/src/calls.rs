//! Calls of the system that fail, through strace: which, how, and when.

use std::path::Path;

use annals::Threads;
use annals_sim::Random;

use crate::{
    number::{to_u64, to_usize},
    script::Script,
    workload::{self, Workload},
};

/// A workload of which a call fails.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) workload: Workload,
    pub(crate) script: Script,
    /// The program, with its arguments, that has the call fail.
    pub(crate) through: Vec<String>,
}

/// System calls that fail on a real disk: which, how, and at which times. (All calls with all
/// errors are tried on the simulated disk.)
const CALLS: [(&str, &str, &str); 16] = [
    ("pwrite64", "error=EIO", "12"),
    ("pwrite64", "error=EIO", "20..23"),
    ("pwrite64", "error=ENOSPC", "9"),
    ("pwrite64", "error=EDQUOT", "15"),
    ("pwrite64", "error=EFBIG", "14"),
    ("pwrite64", "error=EROFS", "11..13"),
    ("pwrite64", "error=EAGAIN", "16"),
    ("pwrite64", "retval=0", "10"),
    ("fdatasync", "error=EIO", "3"),
    ("fdatasync", "error=EIO", "6..9"),
    ("fdatasync", "error=ENOSPC", "7"),
    ("fdatasync", "error=EDQUOT", "5"),
    ("fdatasync", "error=EINTR", "8"),
    ("fsync", "error=EIO", "3"),
    ("fsync", "error=EIO", "4..5"),
    ("renameat,renameat2", "error=EIO", "2"),
];

/// What else fails, how, and up to which time: one of each by chance.
const SWEPT: [(&str, u64); 4] =
    [("pwrite64", 90), ("fdatasync", 40), ("fsync", 20), ("renameat,renameat2", 6)];
const ERRORS: [&str; 8] =
    ["EIO", "ENOSPC", "EDQUOT", "EINTR", "EAGAIN", "EFBIG", "EROFS", "EMFILE"];

/// Interrupted calls are made again, and nobody notices.
const INTERRUPTED: [(&str, &str, &str); 1] = [("pwrite64", "error=EINTR", "3..90+7")];

/// Calls on the store's own files that fail once, and from then on until the process ends: which,
/// how, and how often each is made at least while a store is made, filled until segments are sealed,
/// and opened again.
const OWN: [(&str, &str, u64); 9] = [
    ("openat", "EMFILE", 50),
    ("openat", "EACCES", 50),
    ("pread64", "EIO", 120),
    ("mmap", "ENOMEM", 32),
    ("flock", "ENOLCK", 3),
    ("unlinkat", "EIO", 12),
    ("mkdir", "EDQUOT", 3),
    ("getdents64", "EIO", 6),
    ("fstat,newfstatat,statx", "EIO", 95),
];

/// All of them: `count` by chance, and more of the others the larger it is.
pub(crate) fn all(seed: u64, count: u64, store: &Path) -> Vec<Call> {
    let known = |script| {
        move |(call, outcome, times): (&str, &str, &str)| Call {
            workload: workload::CALLS[0],
            script,
            through: strace(call, outcome, times, &[]),
        }
    };
    let failing = CALLS.into_iter().map(known(Script::Failing));
    let interrupted = INTERRUPTED.into_iter().map(known(Script::Plain));
    let workloads = workload::CALLS.into_iter().cycle();
    let swept = (0..count).zip(workloads).map(|(number, workload)| Call {
        workload,
        // Of each thread the calls are counted: where helpers come and go, they fail until the
        // process ends.
        script: match workload.threads {
            Threads::Inline => Script::Failing,
            Threads::Background => Script::Sick,
        },
        through: swept(seed, number),
    });
    failing.chain(interrupted).chain(swept).chain(own(seed, count, store)).collect()
}

/// A call that fails with any error at any time, once or a few times.
fn swept(seed: u64, number: u64) -> Vec<String> {
    let mut random = Random::new(seed ^ number << 32);
    let pick = |random: &mut Random, len: usize| to_usize(random.below(to_u64(len)));
    let swept = SWEPT.get(pick(&mut random, SWEPT.len()));
    let (call, times) = swept.copied().unwrap_or(("pwrite64", 90));
    let error = ERRORS.get(pick(&mut random, ERRORS.len())).unwrap_or(&"EIO");
    let first = 1 + random.below(times);
    let last = first + random.below(4);
    strace(call, &format!("error={error}"), &format!("{first}..{last}"), &[])
}

/// Calls on the store's own files, which fail once and for ever, early and late. The first is another
/// one for each seed.
fn own(seed: u64, count: u64, store: &Path) -> Vec<Call> {
    let mut random = Random::new(seed ^ 0x6f77_6e00);
    let paths = paths(store);
    let places = 1 + count / 6;
    let [read, mapped, _] = workload::CALLS;
    let mut calls = Vec::new();
    for (call, error, times) in OWN {
        let part = (times / places).max(1);
        for place in 0..places.min(times) {
            let first = 1 + place * part + random.below(part);
            for when in [first.to_string(), format!("{first}+")] {
                calls.push(Call {
                    // Only where files are mapped is anything mapped.
                    workload: if call == "mmap" { mapped } else { read },
                    script: Script::Sick,
                    through: strace(call, &format!("error={error}"), &when, &paths),
                });
            }
        }
    }
    calls
}

/// What a store may make, and the directories that it is in: the system's loader makes the same
/// calls on other files.
fn paths(store: &Path) -> Vec<String> {
    let names = (0..80).flat_map(|number| {
        let ends = ["seg", "seg.prepared", "prepared", "idx", "idx.tmp"];
        ends.map(|end| format!("{number:020}.{end}"))
    });
    let files = names.chain(["annals.lock".to_owned()]).map(|name| store.join(name));
    let directories = store.ancestors().take(3).map(Path::to_owned);
    directories.chain(files).map(|path| path.display().to_string()).collect()
}

fn strace(call: &str, outcome: &str, times: &str, paths: &[String]) -> Vec<String> {
    let inject = format!("inject={call}:{outcome}:when={times}");
    let trace = format!("trace={call}");
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let only = paths.iter().flat_map(|path| ["-P", path.as_str()]);
    words.into_iter().chain(only).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call on any file of the program would end it before it begins.
    #[test]
    fn what_only_the_loader_needs_never_fails() {
        let calls = all(1, 12, Path::new("/at/deep/er/store"));
        let words = |call: &Call| call.through.join(" ");
        for (name, ..) in OWN {
            let inject = format!("inject={name}:");
            let own: Vec<_> = calls.iter().filter(|call| words(call).contains(&inject)).collect();
            let lasting = own.iter().filter(|call| words(call).contains("+ -P ")).count();
            assert!(lasting > 0 && 2 * lasting == own.len(), "{name}");
            for call in own {
                assert_eq!(call.script, Script::Sick, "for ever ends with the process");
                assert!(words(call).contains("-P /at/deep/er/store/00000000000000000001.seg "));
                assert!(words(call).contains("-P /at/deep/er/store -P /at/deep/er -P /at/deep "));
            }
        }
    }
}

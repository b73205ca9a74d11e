//! What counts depend on besides the code of Annals.

use std::{env::consts, fs, process::Command};

use crate::{error::BenchError, instructions::valgrind};

/// Names and values, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions(pub(crate) Vec<(String, String)>);

impl Conditions {
    /// As they are here and now.
    pub(crate) fn look() -> Result<Self, BenchError> {
        let all = [
            ("rustc", said("rustc", "--version")),
            ("compiled for", target()),
            // It has a CPU of its own, the same on every machine that has AVX2.
            ("valgrind", valgrind::version()?),
            ("machine", machine(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())),
            // Its copying and filling, and its allocator.
            ("libc", said("getconf", "GNU_LIBC_VERSION")),
        ];
        Ok(Self(all.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    /// What is different here from `recorded`, a sentence for each.
    pub(crate) fn differences(&self, recorded: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, now) in &self.0 {
            let before = recorded.0.iter().find(|(other, _)| other == name);
            let before = before.map_or("unknown", |(_, value)| value);
            if before != now {
                differences.push(format!("{name}: recorded with {before}, now {now}"));
            }
        }
        differences
    }
}

/// What a program of this machine says of itself.
fn said(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().ok();
    let output = output.filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|| "unknown".to_owned())
}

/// The architecture, and what the compiler took for granted beyond its baseline.
fn target() -> String {
    let features = [
        ("sse4.2", cfg!(target_feature = "sse4.2")),
        ("pclmulqdq", cfg!(target_feature = "pclmulqdq")),
        ("avx", cfg!(target_feature = "avx")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("bmi2", cfg!(target_feature = "bmi2")),
        ("avx512f", cfg!(target_feature = "avx512f")),
    ];
    let given = features.into_iter().filter_map(|(name, is_given)| is_given.then_some(name));
    [consts::ARCH].into_iter().chain(given).collect::<Vec<_>>().join(" + ")
}

/// What of the machine reaches the CPU that valgrind has.
fn machine(cpuinfo: &str) -> String {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has_avx2 = flags.split_whitespace().any(|flag| flag == "avx2");
    let with = if has_avx2 { "with" } else { "without" };
    format!("{} {with} AVX2", consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let of = |rustc: &str| Conditions(vec![("rustc".to_owned(), rustc.to_owned())]);
        assert!(of("1").differences(&of("1")).is_empty());
        assert_eq!(of("2").differences(&of("1")), ["rustc: recorded with 1, now 2"]);
        let none = Conditions(Vec::new());
        assert_eq!(of("2").differences(&none), ["rustc: recorded with unknown, now 2"]);
    }

    #[test]
    fn a_machine_is_told_by_its_flags() {
        assert!(machine("model : x\nflags\t\t: fpu avx2 sse\n").ends_with("with AVX2"));
        assert!(machine("flags : avx\n").ends_with("without AVX2"));
    }
}

//! Runs this program below valgrind.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::error::{BenchError, io_error};

/// Counts instructions and nothing else, without a file of what was called from where.
const TOOL: [&str; 2] = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];

/// Has glibc copy and fill in vector steps, as for small sizes: `rep movsb` would count for each
/// byte, and hide everything else where much is copied.
const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// What the number stands behind.
const TOTAL: &str = "Collected :";

/// The instructions of a process of its own that does so many operations of a path.
pub(crate) fn instructions(path: &str, operations: u64, dir: &Path) -> Result<u64, BenchError> {
    let program = std::env::current_exe().map_err(io_error("find this program's file"))?;
    let mut command = Command::new("valgrind");
    command.args(TOOL).arg(program).args(["operate", path, "--operations"]);
    command.arg(operations.to_string()).arg("--dir").arg(dir);
    let output = run(command.env("GLIBC_TUNABLES", TUNABLES))?;
    let report = String::from_utf8_lossy(&output.stderr);
    total(&report).ok_or_else(|| BenchError::Valgrind(format!("no count in its report: {report}")))
}

/// What valgrind says it is.
pub(crate) fn version() -> Result<String, BenchError> {
    let output = run(Command::new("valgrind").arg("--version"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(command: &mut Command) -> Result<Output, BenchError> {
    let output = command.output().map_err(|source| {
        BenchError::Valgrind(format!("it cannot be started: {source}; install it"))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let report = String::from_utf8_lossy(&output.stderr);
    Err(BenchError::Valgrind(format!("it ended with {}: {report}", output.status)))
}

/// The number in a report.
fn total(report: &str) -> Option<u64> {
    let (_, rest) = report.split_once(TOTAL)?;
    rest.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_in_a_report() {
        let report = "==7== Events    : Ir\n==7== Collected : 126545\n==7== \n";
        assert_eq!(total(report), Some(126_545));
        assert_eq!(total("==7== \n"), None);
        assert_eq!(total("==7== Collected : many\n"), None);
    }
}

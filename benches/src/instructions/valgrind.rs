//! Runs this program below valgrind.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::error::{BenchError, io_error};

/// Counts instructions and nothing else: of valgrind's tools the one that takes the least time.
const TOOL: [&str; 2] = ["--tool=exp-bbv", "--instr-count-only=yes"];

/// Has glibc copy and fill in vector steps: `rep movsb` is one instruction however much it does,
/// and would hide a needless copy.
const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// What the line of a thread's total begins with, behind the process id. The first is the main
/// thread's.
const TOTAL: &str = "Total instructions:";

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
        BenchError::Valgrind(format!("it cannot be started: {source}; is it installed?"))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let report = String::from_utf8_lossy(&output.stderr);
    Err(BenchError::Valgrind(format!("it ended with {}: {report}", output.status)))
}

/// The instructions of the main thread.
fn total(report: &str) -> Option<u64> {
    let (_, rest) = report.split_once(TOTAL)?;
    rest.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_the_first_thread_is_found() {
        let thread = |n, total| {
            format!(
                "==7== # Thread {n}\n\
                 ==7== #   Total intervals: 0 (Interval Size 100000000)\n\
                 ==7== #   Total instructions: {total}\n\
                 ==7== #   Total reps: 349\n"
            )
        };
        assert_eq!(total(&(thread(1, 126_200) + &thread(2, 5))), Some(126_200));
        assert_eq!(total("==7== \n"), None);
        assert_eq!(total("==7== #   Total instructions: many\n"), None);
    }
}

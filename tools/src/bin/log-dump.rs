//! `log-dump`: looks into the log of an Annals store. See `log-dump --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    annals_tools::run()
}

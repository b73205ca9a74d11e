//! `annals-powercut`: power cuts under Annals stores on real filesystems.
#![allow(clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;

use annals_powercut::{Arguments, execute};
use clap::Parser;

fn main() -> ExitCode {
    match execute(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

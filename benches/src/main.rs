//! `annals-bench`: workloads against an Annals store, beside what the disk itself can do.
#![allow(clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;

use annals_bench::{Arguments, execute};
use clap::Parser;

fn main() -> ExitCode {
    match execute(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

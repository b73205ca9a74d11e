//! `annals-peers`: Annals beside what else could keep a log of events, in one run.
#![allow(clippy::print_stderr, reason = "a program for people")]

use std::process::ExitCode;

use annals_peers::{Arguments, execute};
use clap::Parser;

fn main() -> ExitCode {
    match execute(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

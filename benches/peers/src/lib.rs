//! Annals beside what else could keep a log of events, in one run.
//!
//! `benches/peers/README.md` says how to run it. In reading order: what is asked of a system
//! (`append`, `system`), the systems (`systems`) and what they share, what is measured (`case`,
//! `rounds`, `reading`), what is made of the results (`page`), and EventCore's part of the report
//! that `annals-bench` makes (`commands`).
#![allow(clippy::disallowed_methods, reason = "it measures time and looks at files by itself")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod append;
mod system;

mod systems;

mod gathered;
mod key;
mod versions;

mod case;
mod plan;

mod callers;
mod rounds;
mod trouble;
mod verify;
mod writing;

mod reading;

mod page;
mod results;

mod commands;

mod arguments;
mod error;
mod execute;

pub use arguments::Arguments;
pub use error::PeersError;
pub use execute::execute;

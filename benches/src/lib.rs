//! Workloads against an Annals store, beside what the disk itself can do in the same run.
//!
//! `benches/README.md` says what each workload is and how to read the results. In reading order:
//! what is measured (`workload`, `catalogue`), how writes are measured (`rounds`, `writes`,
//! `callers`), the other workloads, the ways in which a log could write (`disk`), and what is made
//! of the results (`render`).
#![allow(clippy::disallowed_methods, reason = "it measures time and looks at files by itself")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod workload;

mod case;
mod catalogue;
mod shape;

mod callers;
mod outcome;
mod request;
mod rounds;
mod verify;
mod window;
mod writes;
mod yardstick;

mod commands;

mod beside;
mod cold;
mod opening;
mod reads;
mod sample_log;
mod sizes;

mod soak;

mod disk;

mod chapter;
mod instructions;

mod render;
mod row;

pub mod report;

mod arguments;
mod error;
mod execute;
mod interrupt;
mod latency;
mod machine;
mod memory;
mod number;
mod plan;
mod process;
mod progress;
mod random;
mod scratch;

pub use arguments::Arguments;
pub use error::BenchError;
pub use execute::execute;

// What `benches/peers/` measures and reports with.
pub use interrupt::Interrupt;
pub use latency::{Latency, Percentiles};
pub use machine::Machine;
pub use number::{Spread, float, human, human_count, per, wide};
pub use progress::Progress;
pub use random::Random;
pub use render::{Axis, Chart, Line, Point, Record, Scale, Table};
pub use scratch::{Scratch, remove};
pub use shape::{BATCH, MULTI, PAYLOAD_BYTES, SINGLE, Shape};
pub use window::Window;
pub use yardstick::{Yardstick, bytes_for};

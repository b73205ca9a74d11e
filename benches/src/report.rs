//! The performance report: the workloads of commands on every backend, in one run.
//!
//! Each run of a workload on a backend is a process of its own and gives one [`Measured`].

mod asked;
pub(crate) mod error;
mod measured;
mod meter;
pub mod plan;
mod server_processes;

pub use asked::{Asked, Kind};
pub use error::ReportError;
pub use measured::{Counts, Measured};
pub use meter::{Meter, SERVER_VARIABLE, Spent};

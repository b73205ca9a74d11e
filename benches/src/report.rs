//! The performance report: the workloads of commands on every backend, in one run.
//!
//! Each run of a workload on a backend is a process of its own and gives one [`Measured`]. In
//! reading order: what is asked (`plan`), the row (`measured`, `meter`), Annals' own runs (`own`),
//! what is run where (`backend`, `scene`, `child`, `server`, `make`), and what is made of it
//! (`results`, `summary`, `targets`, `tables`, `pictures`, pages).

mod asked;
pub(crate) mod error;
mod measured;
mod meter;
pub(crate) mod own;
pub mod plan;
mod server_processes;

pub(crate) mod backend;
mod child;
pub(crate) mod make;
pub(crate) mod scene;
mod server;

mod bounds;
pub(crate) mod compare;
pub(crate) mod files;
pub(crate) mod history;
mod html;
mod markdown;
mod pictures;
mod prose;
pub(crate) mod results;
mod summary;
mod tables;
mod targets;
pub(crate) mod terminal;

pub use asked::{Asked, Kind};
pub use error::ReportError;
pub use measured::{Counts, Measured};
pub use meter::{Meter, SERVER_VARIABLE, Spent};
pub use server::Server;

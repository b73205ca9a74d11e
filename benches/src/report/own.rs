//! The workloads of the report on Annals itself: in memory, on disk, and over Postgres.

mod asking;
mod batches;
mod callers;
mod ending;
mod keeping;
mod preparing;
mod work;

pub(crate) use keeping::{Commands, run};

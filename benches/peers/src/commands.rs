//! The workloads of `annals-bench report` as commands of EventCore: one run on one backend gives
//! one row.

mod arguments;
mod batch;
mod callers;
mod database;
mod kept;
mod money;
mod run;
mod shop;
mod store;
mod verify;

#[cfg(test)]
mod tests;

pub(crate) use arguments::Commands;
pub(crate) use run::run;

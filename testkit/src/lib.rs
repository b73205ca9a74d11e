//! A kit for testing what is built on Annals.
//!
//! - [`given`]: what a command decides, on what happened before.
//! - [`contract`] and [`store_contract!`]: whether a [`Store`](annals_event::Store) keeps its word.
//! - [`FaultStore`]: a store with conflicts and failures at the calls that you name.
//!
//! What it finds it reports as tests do: it panics, with what was expected and what there was.

mod diff;
mod fail;
mod stream_name;

mod scenario;
mod telling;

mod fault_plan;
mod fault_store;

pub mod contract;
mod store_contract;

pub use fault_plan::{At, FaultPlan};
pub use fault_store::{Calls, FaultError, FaultStore, FaultTicket};
#[cfg(feature = "bincode")]
pub use scenario::given;
pub use scenario::{Given, Outcome, given_with};
pub use stream_name::StreamName;

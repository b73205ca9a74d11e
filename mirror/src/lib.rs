//! Annals and Postgres, in two roles.
//!
//! - [`PostgresStore`]: a [`Store`](annals_event::Store) over Postgres alone, for those who must
//!   keep their events there. Commands run on it as on an embedded log.
//! - [`Mirror`]: a copy of an embedded log, for those who want to query it. It follows the log in
//!   the background, and each event is copied once.
//!
//! Both lie in a schema of a database of Postgres 14 or later, with the same tables; [`init`]
//! makes them.

mod error;
mod settings;
mod types;

mod connection;
mod lane;
mod rows;
mod runtime;
mod schema;
mod tls;

mod abandoned;
mod appending;
mod batch;
mod outcome;
mod reading;
mod store;
mod subscription;

mod copying;
mod follower;
mod json;
mod meters;
mod mirror;

mod digest;
mod verify;

mod cli;

pub use cli::run;
pub use error::{ConnectError, Failure, MirrorError, StoreError};
pub use mirror::{Lag, Mirror};
pub use schema::{Role, init, make_views};
pub use settings::{Settings, Tls};
pub use store::PostgresStore;
pub use subscription::Subscription;
pub use verify::{Difference, verify};

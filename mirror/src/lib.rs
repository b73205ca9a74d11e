//! Annals and Postgres, in two roles.
//!
//! - [`PostgresStore`]: a [`Store`](annals_event::Store) over Postgres alone, for those who must
//!   keep their events there. Commands run on it as on an embedded log.
//!
//! Both lie in a schema of a database of Postgres 14 or later, with the same tables; [`init`]
//! makes them.

mod error;
mod types;

mod settings;

mod tls;

mod connection;
mod runtime;
mod schema;

mod lane;

mod rows;

mod batch;
mod outcome;

mod appending;
mod reading;

mod abandoned;

mod store;

pub use error::{ConnectError, Failure, StoreError};
pub use schema::{Role, init};
pub use settings::{Settings, Tls};
pub use store::PostgresStore;

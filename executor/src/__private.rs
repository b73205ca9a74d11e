//! What derived code names besides the API.

pub use annals_event::{SchemaVersion, StreamId};
pub use serde;

//! What a typed event is.

use annals_event::SchemaVersion;
use serde::{Serialize, de::DeserializeOwned};

/// A typed event: usually an enum with a variant for each thing that can happen.
pub trait Event: Serialize + DeserializeOwned + Send {
    /// The name of this event's type: what filters and people see. The same for every event of a
    /// variant, and never changed once events of it are in a log.
    fn event_type(&self) -> &'static str;

    /// Which shape of its type the event has.
    fn schema_version(&self) -> SchemaVersion {
        SchemaVersion::FIRST
    }
}

//! What a typed event is.

use annals_event::SchemaVersion;
use serde::{Serialize, de::DeserializeOwned};

use crate::{codec::Codec, content::Form, event_error::DecodeError, upcast::OldEvent};

/// A typed event: usually an enum with a variant for each thing that can happen.
///
/// `#[derive(Event)]` writes all of it. By hand, [`Event::event_type`] alone will do for an enum
/// whose variants serde calls as their types are called.
pub trait Event: Serialize + DeserializeOwned + Send {
    /// Whether events of types that this one does not know are skipped where they are read, for
    /// a type that wants to see only a part of its streams. Otherwise they are an error.
    const SKIPS_UNKNOWN: bool = false;

    /// The name of this event's type: what the log records, filters look for and people see. The
    /// same for every event of a variant, and never changed once events of it are in a log.
    fn event_type(&self) -> &'static str;

    /// What the events of a type look like; `None` if the type is none of these.
    ///
    /// Unless written: version 1 of the variant that serde calls so.
    fn schema(_event_type: &str) -> Option<EventSchema> {
        Some(EventSchema::named(SchemaVersion::FIRST))
    }

    /// Makes an event of an older version the newest. Only asked for versions below the one in
    /// [`Event::schema`].
    ///
    /// # Errors
    /// The old event cannot be read, or nothing is known of its version.
    fn upcast<K: Codec>(old: OldEvent<'_, K>) -> Result<Self, DecodeError> {
        Err(old.not_known())
    }
}

/// What the events of a type look like: which version of it is written, and what of an enum is in
/// the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSchema {
    pub(crate) version: SchemaVersion,
    pub(crate) form: Form,
}

impl EventSchema {
    /// The content of the variant that serde calls as the type is called. Also right for what is
    /// no enum.
    pub const fn named(version: SchemaVersion) -> Self {
        Self { version, form: Form::Named }
    }

    /// The content of the variant with this number, from 0 in the order of the enum.
    pub const fn variant(index: u32, version: SchemaVersion) -> Self {
        Self { version, form: Form::Variant(index) }
    }

    /// What serde makes of the whole value; of an enum with what serde calls its variant.
    pub const fn whole(version: SchemaVersion) -> Self {
        Self { version, form: Form::Whole }
    }
}

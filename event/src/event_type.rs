//! What kind of fact an event is, and how its payload is to be read.

use std::{borrow::Cow, fmt};

use crate::name::{self, InvalidName};

/// The name of an event's type, like `Deposited`: 1 to 255 bytes without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// From a name; a `&'static str` is not copied.
    ///
    /// # Errors
    /// [`InvalidName`]: empty, longer than 255 bytes, or with a control character.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Result<Self, InvalidName> {
        let name = name.into();
        name::check(&name, "the event type")?;
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Which codec wrote a payload. The store records it and never looks inside the payload.
///
/// 0 to 127 are given out by Annals, 128 to 255 are the user's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodecId(pub u8);

impl CodecId {
    /// Bytes that only the application can read.
    pub const RAW: Self = Self(0);
    /// bincode 2 with its standard configuration, through serde.
    pub const BINCODE: Self = Self(1);
    /// JSON text.
    pub const JSON: Self = Self(2);
    /// `MessagePack` with field names.
    pub const MESSAGE_PACK: Self = Self(3);
    /// postcard 1.
    pub const POSTCARD: Self = Self(4);
}

/// Which shape of an event type a payload has: 1 for the first, raised with each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaVersion(pub u16);

impl SchemaVersion {
    /// The first shape of a type.
    pub const FIRST: Self = Self(1);
}

impl Default for SchemaVersion {
    fn default() -> Self {
        Self::FIRST
    }
}

//! The name of a stream.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::name::{self, InvalidName};

/// The name of a stream: 1 to 255 bytes of UTF-8 without control characters. Cheap to clone.
///
/// ```
/// use annals_event::StreamId;
///
/// let account = StreamId::new("account-17")?;
/// assert_eq!(account.as_str(), "account-17");
/// assert!(StreamId::new("").is_err());
/// # Ok::<(), annals_event::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// From a name.
    ///
    /// # Errors
    /// [`InvalidName`]: empty, longer than 255 bytes, or with a control character.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        name::check(name, "the stream id")?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same allocation: a quick yes, never a no.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for StreamId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for StreamId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for StreamId {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl TryFrom<&str> for StreamId {
    type Error = InvalidName;

    fn try_from(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

/// As text.
#[cfg(feature = "serde")]
impl serde::Serialize for StreamId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// From text that is a valid name.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for StreamId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl serde::de::Visitor<'_> for Name {
            type Value = StreamId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a stream")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<StreamId, E> {
                StreamId::new(name).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Name)
    }
}

//! How a store breaks its word.

use annals::{AppendError, CloseError, OpenError, ReadError};

/// How a store, or the filesystem below it, breaks its word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Violation {
    #[error("the filesystem cannot be mounted: {0}")]
    NotMounted(std::io::Error),
    #[error("the filesystem cannot be unmounted: {0}")]
    NotUnmounted(std::io::Error),
    #[error("the store cannot be opened: {0}")]
    NotOpened(#[from] OpenError),
    #[error("the store cannot be read: {0}")]
    NotRead(#[from] ReadError),
    #[error("the store takes no append: {0}")]
    NotAppended(#[from] AppendError),
    #[error("the store cannot be closed: {0}")]
    NotClosed(#[from] CloseError),
    #[error("append {0} was acknowledged and is not there")]
    Lost(u64),
    #[error("of append {0} only some events are there, or not one after the other")]
    Partial(u64),
    #[error("the event at position {0} was never appended")]
    Invented(u64),
    #[error("append {0} is there, which was refused or found missing before")]
    Risen(u64),
    #[error("append {0} is there twice")]
    Doubled(u64),
    #[error("append {0} is before one that was acknowledged before it was made")]
    OutOfOrder(u64),
    #[error("append {0} has other bytes than were appended")]
    Altered(u64),
    #[error("append {0} is not at the position that its acknowledgement named")]
    Moved(u64),
    #[error("position {0} is not the one after the position before it")]
    Gap(u64),
    #[error("stream {0} has gaps, or reading it shows something else than reading everything")]
    WrongStream(String),
    #[error("reading backward shows something else than reading forward, or the last position")]
    WrongBackward,
    #[error("{0}")]
    NotPerformed(String),
    #[error("what takes up the room cannot be removed: {0}")]
    NoRoomMade(std::io::Error),
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error("a name is none: {0}")]
    Name(#[from] annals::InvalidName),
}

/// What filesystems say of their own damaged blocks: `EIO`, `EBADMSG`, `EUCLEAN`.
const DAMAGED: [i32; 3] = [5, 74, 117];

impl Violation {
    /// Whether it is the filesystem that says that blocks of its own are damaged.
    pub(crate) fn is_of_the_filesystem(&self) -> bool {
        if let Self::NotPerformed(said) = self {
            // Of another process only the words are known.
            return DAMAGED.iter().any(|error| said.contains(&format!("(os error {error})")));
        }
        let error = match self {
            Self::NotMounted(error) | Self::NoRoomMade(error) => Some(error.raw_os_error()),
            Self::NotOpened(OpenError::Io { source, .. }) => Some(source.raw_os_error()),
            Self::NotRead(ReadError::Io(failure)) => Some(failure.source.raw_os_error()),
            _ => None,
        };
        error.flatten().is_some_and(|error| DAMAGED.contains(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_a_filesystem_says_of_its_own_blocks_is_told_from_what_a_store_says() {
        for error in DAMAGED {
            let error = || io::Error::from_raw_os_error(error);
            assert!(Violation::NotMounted(error()).is_of_the_filesystem());
            let said = format!("cannot mount the recorded disk: {}", error());
            assert!(Violation::NotPerformed(said).is_of_the_filesystem());
        }
        let full = io::Error::from_raw_os_error(28);
        assert!(!Violation::NotPerformed(full.to_string()).is_of_the_filesystem());
        assert!(!Violation::NotMounted(full).is_of_the_filesystem());
        assert!(!Violation::Lost(5).is_of_the_filesystem());
    }
}

//! How the log fails.

use std::{fmt, io, sync::Arc};

/// Bytes in the log that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The first record that cannot be read.
    pub first_record: u64,
    /// The first record after it that is known to be readable, where one is known.
    pub readable_again: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at byte {}: {}; ", self.file, self.offset, self.reason)?;
        match self.readable_again {
            Some(next) if next > self.first_record => {
                write!(f, "positions {} to {} are affected", self.first_record, next - 1)
            }
            _ => write!(f, "positions from {} on are affected", self.first_record),
        }
    }
}

/// What to do about what the system said.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; check the path",
        io::ErrorKind::PermissionDenied => "; check who owns it and who may write to it",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written to",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room and try again",
        io::ErrorKind::AlreadyExists => "; something else has that name: choose another path",
        _ => "; nothing acknowledged is lost: mend it and open again",
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused.
    #[error("cannot {action} {file}: {source}{}", advice(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another writer has it.
    #[error(
        "{directory} is open for writing by {holder}; close it there, or open another directory"
    )]
    Locked {
        /// The log's directory.
        directory: String,
        /// Who has it, as far as the system tells.
        holder: String,
    },
    /// The directory has files, and none of them is a segment.
    #[error(
        "{directory} holds {found} and no log; give an empty or a new directory, \
         so that nothing of yours is touched"
    )]
    NotALog {
        /// The directory.
        directory: String,
        /// One of the files in it.
        found: String,
    },
    /// A newer version of Annals wrote it.
    #[error(
        "{file} has format version {found} or uses what version {known} does not know; \
         open it with a newer Annals"
    )]
    Newer {
        /// The file.
        file: String,
        /// The version found.
        found: u32,
        /// The newest that this code knows.
        known: u32,
    },
    /// Bytes are not what was written, and may have been acknowledged.
    #[error(
        "{0}; nothing was changed: see the damage with `log-dump verify`, \
         and restore the directory from a copy"
    )]
    Corrupt(Corruption),
    /// A segment that must be there is not.
    #[error("segment {segment} is missing: {before} does not follow; restore it from a copy")]
    MissingSegment {
        /// The number of the segment.
        segment: u64,
        /// The file of the first segment behind it.
        before: String,
    },
    /// The segment at the end is missing: the one before it is complete, and has an index image,
    /// which is made only when another one follows.
    #[error(
        "segment {segment} is missing: the index image of {before} was made when it was there; \
         restore it from a copy, or delete that image to open the log without it"
    )]
    MissingEnd {
        /// The number of the segment.
        segment: u64,
        /// The file of the segment before it.
        before: String,
    },
    /// An option that no log can have.
    #[error("{what}")]
    Options {
        /// Which, and what to set instead.
        what: String,
    },
}

/// A write or a sync of the log failed. What was being written may or may not be durable, so
/// nothing more is acknowledged until the log is opened again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} {file}: {source}")]
pub struct Failure {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub file: String,
    /// What the system said.
    pub source: Arc<io::Error>,
}

/// Why a frame was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// There is no room for the next segment. Nothing was written; the log goes on when there is.
    #[error("cannot prepare the next segment: {0}")]
    NoRoom(Failure),
    /// An earlier write failed.
    #[error("an earlier write failed: {0}")]
    Poisoned(Failure),
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
    /// Larger than a segment can be.
    #[error("the frame is larger than a segment can be")]
    TooLarge,
}

/// Why a frame could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] Failure),
    /// The bytes are not what was written.
    #[error("{0}")]
    Corrupt(Corruption),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_says_which_positions_it_affects() {
        let affected = |readable_again| {
            let (file, reason) = ("a.seg".to_owned(), "torn".to_owned());
            let corruption =
                Corruption { file, offset: 4096, first_record: 7, readable_again, reason };
            let text = corruption.to_string();
            text.strip_prefix("a.seg is damaged at byte 4096: torn; ").unwrap().to_owned()
        };
        assert_eq!(affected(Some(10)), "positions 7 to 9 are affected");
        assert_eq!(affected(Some(8)), "positions 7 to 7 are affected");
        // What is readable again before it begins says nothing.
        for readable_again in [Some(7), Some(1), Some(0), None] {
            assert_eq!(affected(readable_again), "positions from 7 on are affected");
        }
    }

    #[test]
    fn what_the_system_says_comes_with_what_to_do() {
        let kinds = [
            (io::ErrorKind::NotFound, "check the path"),
            (io::ErrorKind::NotADirectory, "check the path"),
            (io::ErrorKind::PermissionDenied, "who owns it"),
            (io::ErrorKind::ReadOnlyFilesystem, "can be written to"),
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::QuotaExceeded, "make room"),
            (io::ErrorKind::AlreadyExists, "choose another path"),
            (io::ErrorKind::TimedOut, "open again"),
        ];
        for (kind, what_to_do) in kinds {
            let (file, source) = ("a.seg".to_owned(), io::Error::new(kind, "said so"));
            let text = OpenError::Io { action: "read", file, source }.to_string();
            assert!(text.starts_with("cannot read a.seg: said so; "), "{text}");
            assert!(text.contains(what_to_do), "{text}");
        }
    }
}

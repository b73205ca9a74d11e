//! Something that is wrong with a log.

use std::fmt;

use annals_wal::{Corruption, FrameView, OpenError};

use crate::escape::escape;

/// Something that is wrong with a log: where, which positions, why. Shown escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl Problem {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// What opening would say, without the advice to run this program.
    pub(crate) fn of_opening(error: &OpenError) -> Self {
        match error {
            OpenError::Corrupt(corruption) => Self(corruption.to_string()),
            error => Self(error.to_string()),
        }
    }

    /// A frame whose bytes are as they were written, and wrong.
    pub(crate) fn in_frame(file: &str, frame: &FrameView<'_>, reason: String) -> Self {
        let corruption = Corruption {
            file: file.to_owned(),
            offset: frame.address.offset,
            first_record: frame.head.first_record,
            readable_again: Some(frame.head.next_record()),
            reason,
        };
        Self(corruption.to_string())
    }

    /// What is wrong, not escaped.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

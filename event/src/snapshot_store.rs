//! Where folded state is kept beyond the life of a process.

use std::{fmt::Debug, io};

/// Keeps bytes under keys of 32 hexadecimal digits: a directory of files, a table, a bucket.
///
/// What it keeps is derived from the log and can be lost without harm. Nor need it be right: an
/// executor ignores what is damaged, of another log, or of events that the log does not have.
/// Whoever can write to it can make up states, as whoever can write to the log can make up events.
pub trait SnapshotStore: Debug + Send + Sync {
    /// What was saved last under a key; `None` if nothing was. It is asked by the thread that
    /// would otherwise read the stream from its beginning.
    ///
    /// # Errors
    /// It is there and cannot be read: the stream is read from its beginning.
    fn load(&self, key: &str) -> io::Result<Option<Vec<u8>>>;

    /// Saves bytes under a key, instead of what was there. Called by a helper thread.
    ///
    /// # Errors
    /// It is not saved: it is tried again with a later state.
    fn save(&self, key: &str, bytes: &[u8]) -> io::Result<()>;
}

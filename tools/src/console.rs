//! Where a command writes.

use std::{
    fmt,
    io::{self, Write},
};

use crate::{error::DumpError, escape::escape};

/// What a command says of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was looked at is as it was written.
    Sound,
    /// Something is wrong, and was shown.
    Damaged,
}

impl Outcome {
    /// Damaged, if anything is wrong.
    pub(crate) const fn of(problems: usize) -> Self {
        if problems == 0 { Self::Sound } else { Self::Damaged }
    }
}

/// Where a command writes: results, and what is wrong.
pub struct Console<'a> {
    /// For results; buffered.
    pub out: &'a mut dyn Write,
    /// For people.
    pub err: &'a mut dyn Write,
}

impl Console<'_> {
    /// Writes a line of the result, of which every part that comes from a log is escaped.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), DumpError> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Tells people something; `text` is not escaped yet.
    pub(crate) fn tell(&mut self, text: &str) -> Result<(), DumpError> {
        // In the order in which it happened, where both go to the same place.
        self.out.flush()?;
        self.complain(text);
        Ok(())
    }

    /// Tells people why the command could not be done; `text` is not escaped yet.
    pub(crate) fn complain(&mut self, text: &str) {
        // Nobody is there to be told that nobody can be told.
        drop(writeln!(self.err, "log-dump: {}", escape(text)));
    }
}

impl fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

/// Lets a command finish that is run for its exit code, when nobody reads its output any more.
#[derive(Debug)]
pub(crate) struct Forgiving<W>(pub(crate) W);

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        forgive(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        forgive(self.0.flush(), ())
    }
}

fn forgive<T>(result: io::Result<T>, otherwise: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(otherwise),
        result => result,
    }
}

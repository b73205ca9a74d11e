//! The questions, and what each is for.

use std::fmt;

/// A question about how to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// D1: how the file is prepared.
    Prepare,
    /// D2: how a write becomes durable.
    Durable,
    /// D3: who writes for many callers.
    Lead,
    /// D4: preparing files while others are written.
    Fill,
}

/// All of them, in the order in which they run.
pub(crate) const ALL: [Part; 4] = [Part::Prepare, Part::Durable, Part::Lead, Part::Fill];

impl Part {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Prepare => "D1: how the file is prepared",
            Self::Durable => "D2: how a write becomes durable",
            Self::Lead => "D3: who writes for many callers",
            Self::Fill => "D4: filling beside writing",
        }
    }

    /// What it is, for the record.
    pub(crate) fn prose(self) -> &'static str {
        match self {
            Self::Prepare => PREPARE,
            Self::Durable => DURABLE,
            Self::Lead => LEAD,
            Self::Fill => FILL,
        }
    }

    /// As it is given on the command line.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Durable => "durable",
            Self::Lead => "lead",
            Self::Fill => "fill",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "D1",
            Self::Durable => "D2",
            Self::Lead => "D3",
            Self::Fill => "D4",
        })
    }
}

const PREPARE: &str = "\
One caller writes a file of 64 MiB from its beginning to its end, with `pwrite` and `fdatasync` \
for each write, and goes on with another file that was prepared in the same way. `grown`: the \
file is empty, each write makes it longer. `fallocate`: it has its length and its room, and no \
bytes. `zeroes`: it was filled with zeroes in pieces of that size, synced after each MiB; the \
size of the pieces decides the size of the page cache's folios. Preparing is not counted. \
`x base` compares with zeroes in pieces of 256 KiB.";

const DURABLE: &str = "\
One caller overwrites a file of 64 MiB again and again, which was filled with zeroes in pieces \
of 256 KiB. `O_DIRECT + O_DSYNC` pads each write to the next 4 KiB. `mmap + msync` copies into a \
shared mapping and syncs that range. `io_uring` submits a write and an fdatasync that is linked \
to it with one system call, and waits for both. `x base` compares with `pwrite + fdatasync`.";

const LEAD: &str = "\
A toy of group commit: threads that block until their record of 184 bytes is durable. Records \
gather in one buffer while the group before is written; each group is one `pwrite` and one \
`fdatasync` on a prepared file, and its threads are woken by one system call. `leader`: whoever \
finds nobody at it writes for all; when it ends it wakes one of the next group to lead that, \
then the threads of its own. `group first`: the other way round. \
`dedicated`: one thread writes for all. `two syncs`: as `leader`, with up to two groups in \
flight on the one file, acknowledged in their order. There are no checksums, versions and \
indexes, so the rates say how the ways compare, not what a log reaches. `x base` compares with \
`leader`.";

const FILL: &str = "\
One caller overwrites a prepared file with groups of that size, `pwrite` and `fdatasync`: alone, \
or while another thread fills new files of 64 MiB with zeroes in pieces of 256 KiB, as many \
bytes as are written, and syncs them as often as the case says. Each byte of a log is written \
twice like this. A writer that is a file ahead of the filling waits for it, as a log would; \
`filled` is how much was filled for each byte written. `x base` compares with writing alone.";

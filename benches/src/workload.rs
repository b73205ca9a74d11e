//! The workloads and what they are for.

use std::fmt;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Batches: 100 events over 5 streams in each append.
    W1,
    /// Single events.
    W2,
    /// Four streams in each append.
    W3,
    /// All callers on the same few streams.
    Hot,
    /// Without a sync for each group: interval, never, in memory.
    W4,
    /// Reading.
    W5,
    /// Opening.
    W6,
    /// Bytes on disk and in memory.
    W7,
    /// Commands: deposits, withdrawals, transfers.
    Financial,
    /// Commands: orders of several products.
    Orders,
}

/// All of them, in the order in which they run.
pub(crate) const ALL: [Workload; 10] = [
    Workload::W1,
    Workload::W2,
    Workload::W3,
    Workload::Hot,
    Workload::W4,
    Workload::W5,
    Workload::W6,
    Workload::W7,
    Workload::Financial,
    Workload::Orders,
];

impl Workload {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::W1 => "W1: batches",
            Self::W2 => "W2: single events",
            Self::W3 => "W3: appends over four streams",
            Self::Hot => "Hot: all callers on the same streams",
            Self::W4 => "W4: acknowledged before the sync, and in memory",
            Self::W5 => "W5: reading",
            Self::W6 => "W6: opening",
            Self::W7 => "W7: room on disk and in memory",
            Self::Financial => "Financial: commands over accounts",
            Self::Orders => "Orders: commands over a customer, an order and products",
        }
    }

    /// What it is, for the record.
    pub(crate) fn prose(self) -> &'static str {
        match self {
            Self::W1 => W1,
            Self::W2 => W2,
            Self::W3 => W3,
            Self::Hot => HOT,
            Self::W4 => W4,
            Self::W5 => W5,
            Self::W6 => W6,
            Self::W7 => W7,
            Self::Financial => FINANCIAL,
            Self::Orders => ORDERS,
        }
    }

    /// What its plots have from left to right.
    pub(crate) fn x_axis(self) -> &'static str {
        match self {
            Self::W6 => "events in the log",
            Self::Financial | Self::Orders => "callers",
            _ => "appends in flight",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::W1 => "W1",
            Self::W2 => "W2",
            Self::W3 => "W3",
            Self::Hot => "Hot",
            Self::W4 => "W4",
            Self::W5 => "W5",
            Self::W6 => "W6",
            Self::W7 => "W7",
            Self::Financial => "Financial",
            Self::Orders => "Orders",
        })
    }
}

const W1: &str = "\
Each append has 100 events of 100 bytes over five streams of its caller, every stream expected at \
its exact version; acknowledged after the sync. One caller in sequence shows how much of the \
disk's speed is left; appends in flight share writes and syncs. The raw disk overwrites as many \
bytes as one such append takes in the log.";

const W2: &str = "\
Each append has one event of 100 bytes for a stream of its caller, expected at its exact version; \
acknowledged after the sync. The callers are threads that block, tokio tasks that await, or one \
thread that keeps a window of appends in flight and waits for the oldest. The raw disk overwrites \
4 KiB.";

const W3: &str = "\
Each append has four events of 100 bytes, one for each of four streams of its caller, all \
expected at their exact versions; acknowledged after the sync. The raw disk overwrites 4 KiB.";

const HOT: &str = "\
W2 and W3 with all callers on one stream or on four, each expecting what it was told last. `told \
when durable` is `Annals::append`: a conflict is an answer, and waits like one, so only one \
caller for each stream wins in each group. `told at once` is `Store::append`, which is what \
commands run on: a conflict is told at once and the caller tries again. Latency is from the first \
attempt to the acknowledgement. `x base` compares with the same callers on streams of their own.";

const W4: &str = "\
W1 to W3 acknowledged before the sync: `Interval(10 ms)` when the operating system has it, synced \
every 10 ms; `Never` without syncs; and in memory, without files. For two threads, `x base` \
compares with one.";

const W5: &str = "\
Reading a log of single events from 1,000 streams, with one more stream of 1,000 events scattered \
over all of it, and a log of batches as in W1. Every frame's checksums are verified each time, but \
for the rows `checked once`: there once since opening (`ReadMode::MapCheckedOnce`). `views` are \
borrowed from where the events lie (`Events::visit`), `owned` events come from the iterator. \
`cold` is the first reading after opening, with the log's files dropped from this machine's page \
cache; what opening itself reads, and what a host below this machine caches, stays warm. At the \
end: 16 threads of W2 alone and with four readers beside them.";

const W6: &str = "\
Opening a log of single events from 1,000 streams, by its size: closed cleanly, with its files in \
the page cache or dropped from it; and as a killed process leaves it, which is a copy of the \
files made while the store was open.";

const W7: &str = "\
What one event of 100 bytes takes: in the log (frames, names, headers of segments), on disk after \
closing (all files as allocated, the unused part of the last segment included), in index images \
beside sealed segments, and in memory (places of the active segment and marks into all segments, \
by `Annals::stats`).";

const FINANCIAL: &str = "\
Each command is a deposit (four of ten), a withdrawal or a transfer (four of ten) of an account chosen at random; the balance comes \
from the account's events and must not become negative. One million accounts begin with one deposit each, and \
long ones with 10,000; the raw disk overwrites 4 KiB. Acknowledged after the sync, a rejection as \
well. Every command is counted once, accepted or rejected. `x base` compares with as many callers \
of W2, which append a single event without deciding anything. Afterwards the whole log is audited: no \
balance was ever negative, and what was sent arrived.";

const ORDERS: &str = "\
Each command orders one to four products for one of 1,000 customers: an event for the order, for the \
customer and for each product, whose stock must not become negative; one command of ten brings \
new stock. `x base` compares with as many callers of W3, which append four events to four streams \
without deciding anything. Afterwards the whole log is audited.";

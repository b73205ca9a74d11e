//! What readers must know to read the report.

/// Something that a table or a picture has.
#[derive(Debug)]
pub(crate) struct Paragraph {
    pub(crate) term: &'static str,
    pub(crate) text: &'static str,
}

/// Above everything.
pub(crate) const HOW: &str = "\
The same commands, from the same seed, on every backend, in one run. Backends took turns, another one \
first in each round; each run was a process of its own with an empty store. After each run all \
streams were read again: balances, stock, orders and versions are equal on all backends, and equal to \
what a model computes from the commands. A run whose outcomes do not add up to what was asked, or whose \
state is another, ends the report without a result. Compare ratios, not absolutes.";

/// In the order in which a reader meets them.
pub(crate) const PARAGRAPHS: [Paragraph; 8] = [
    Paragraph {
        term: "Rates",
        text: "the median of the rounds, and the smallest and largest. Commands count when they are \
               accepted or rejected; what gave up or failed does not. `x EventCore` is the ratio to the best of \
               EventCore's backends that promise the same.",
    },
    Paragraph {
        term: "What is kept",
        text: "both as their users get them: Annals' commands keep what they folded of a stream and read                only what is new in it; EventCore's read their streams from the beginning. Its snapshots,                which a command can opt into, are not used.",
    },
    Paragraph {
        term: "Outcomes",
        text: "of all rounds together. One command of twenty asks for what is impossible and must be \
               rejected. `conflicts` gave up after all attempts because others came in between; \
               `attempts` are for each command.",
    },
    Paragraph {
        term: "Latency",
        text: "of all rounds together, in microseconds, from the moment at which the caller meant to ask. \
               Callers ask again as soon as they are answered, so that is their answer before: what \
               a pause of the store keeps from being asked is not counted. The picture at fixed rates \
               counts it: there a command begins at its place in the plan, however late its caller \
               comes to it (coordinated omission).",
    },
    Paragraph {
        term: "cpu us",
        text: "processor time of the callers' process for each command, all threads together; `server \
               cpu us` that of the server's processes.",
    },
    Paragraph {
        term: "bytes, syncs",
        text: "for each command. Bytes are what the process, and the server's, had the system write, in \
               pages (`/proc/PID/io`); Annals fills its segments with zeroes ahead, which counts. Syncs \
               are the store's own counter, or `wal_sync` of the server from the start to the end \
               of the run's process. `?`: nobody counts.",
    },
    Paragraph {
        term: "peak MB",
        text: "the most memory of the callers' process while it ran, with the requests of batches, which are made \
               before, and with pages of mapped files; not the server's.",
    },
    Paragraph {
        term: "Targets",
        text: "of the report that EventCore 1 was published with, whose own harness counted 134.6 % and \
               0.1 % of its commands as successes. Payments touch one stream or two and are held to \
               the target of single-stream commands; batches are those of one caller.",
    },
];

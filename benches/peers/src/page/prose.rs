//! What the page says besides numbers.

use annals_bench::human_count;

use crate::{reading::STREAM_EVENTS, results::Results};

pub(super) const HEAD: &str = "\
# Benchmarks

Annals beside what else could keep a log of events: event stores, write-ahead logs, key-value stores, SQLite. The same
workloads, in one run, in turns, each system at its best honest setting. This page is written by the program that measured.
";

/// How it was measured, and how to do it again.
pub(super) fn rerun(results: &Results) -> String {
    let plan = &results.plan;
    let (rounds, millis) = (plan.rounds, plan.length.as_millis());
    let runs = if rounds == 1 { "run".to_owned() } else { format!("{rounds} runs") };
    format!(
        "That command measures all of it again, and writes this page and a record under `benches/record/`; it needs a C and a \
         C++ compiler and libclang ([how](../benches/peers/README.md)). Compare ratios and not absolutes: the same machine \
         is two or three times slower an hour later. What is shown is the median of {runs} of {millis} ms each, after a \
         warm-up, of systems that took turns, another one first in each round, with a pause between. `x raw` is the ratio \
         to what the disk itself can do right before and right after: one caller that overwrites as many bytes (4 KiB at \
         least) of a file that was filled with zeroes, and calls `fdatasync`, once for each append. `x Annals` is the ratio \
         to Annals in the same round.\n"
    )
}

pub(super) const HONESTY: &str = "\
What was done for each:

- Every payload is 100 bytes of text that cannot be compressed. Event stores also keep a type, a name of the stream and, if
  they have them, a time and an id; the adapters of the others keep the payload and its key only. So the others do less.
- Durable means that `fdatasync` or `fsync` has returned before an append is acknowledged.
- Every append expects each of its streams at its exact version. Systems that know no versions got what a user would have
  to build: versions in memory, checked under a lock that is held until the append is durable. Looking them up in the
  system each time was never faster.
- Requests are made anew for each append, as an application does, and what that takes counts. Callers are threads that
  block, except where the API is async or the name says tasks.
- `+grouping` is what one would build around a system that does not gather commits: one thread takes what all callers
  brought while the commit before was under way, and commits it as one transaction. Callers wait on one futex for each group.
- Annals keeps names, versions, order, an index and checksums in all of this.
- After each run the log was closed, opened and read: each stream must have each version that was acknowledged, once.
";

pub(super) const COLUMNS: &str = "\
Sorted by the median. Latencies are from the first attempt to the acknowledgement, of all runs together.
";

pub(super) const TMPFS: &str = "\
### Without a disk

On tmpfs, where a sync costs nothing: what the processor makes of it. In brackets the ratio to `annals`.
";

/// What was read.
pub(super) fn reading(results: &Results) -> String {
    let events = human_count(results.plan.events);
    let streams = human_count(results.plan.events / STREAM_EVENTS);
    format!(
        "A log of {events} events in {streams} streams, each event of a stream far from the next one. It was closed cleanly; \
         its files are in the page cache. One event at random is read by its position in the log or by stream and version, \
         whichever the system is faster at. Bytes on disk are what its files take after it was closed, prepared space \
         included. In brackets the ratio to `annals`: less than 1 is better than Annals for times and bytes, more than 1 for \
         rates.\n"
    )
}

//! The hot paths: the table of what is counted, and how one is run.

use std::path::Path;

use crate::{
    error::BenchError,
    instructions::operations::{self, Operation},
    shape::{BATCH, MULTI, SINGLE},
};

/// One of the paths that users wait for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HotPath {
    pub(crate) name: &'static str,
    /// What the count is for one of.
    pub(crate) unit: &'static str,
    /// How many units one operation has.
    pub(crate) units: u64,
    /// How many operations the two runs do, after the same warm-up.
    pub(crate) few: u64,
    pub(crate) many: u64,
    ready: Ready,
}

type Ready = fn(&Path) -> Result<Operation, BenchError>;

/// Operations before the counted ones: buffers get their sizes.
const WARM_UP: u64 = 3;

/// All of them.
pub(crate) const HOT_PATHS: [HotPath; 17] = [
    path("encode 1 event", [500, 1_500], |_| operations::encode(&SINGLE)),
    path("encode 100 events", [10, 30], |_| operations::encode(&BATCH)),
    path("checksum of 4 KiB", [500, 1_500], |_| Ok(operations::checksum())),
    path("append 1 event in memory", [500, 1_500], |_| operations::append_in_memory(&SINGLE)),
    path("append to 4 streams in memory", [200, 600], |_| operations::append_in_memory(&MULTI)),
    path("append 100 events in memory", [10, 30], |_| operations::append_in_memory(&BATCH)),
    path("append 1 event durably", [500, 1_500], |dir| operations::append_durably(&SINGLE, dir)),
    path("append 100 events durably", [10, 30], |dir| operations::append_durably(&BATCH, dir)),
    path("append that conflicts", [500, 1_500], |_| operations::conflict()),
    path("deposit in memory", [200, 1_000], |_| operations::deposit()),
    path("transfer in memory", [100, 500], |_| operations::transfer()),
    path("transfer of kept states", [100, 500], |_| operations::kept_transfer()),
    read("scan of single events", operations::SINGLES, operations::scan_singles),
    read("scan of batches", operations::BATCHED, operations::scan_batches),
    read("read of a scattered stream", operations::SCATTERED, operations::read_scattered),
    path("read of an event by position", [500, 1_500], operations::read_by_position),
    read("opening with replay", operations::SINGLES, operations::open),
];

const fn path(name: &'static str, [few, many]: [u64; 2], ready: Ready) -> HotPath {
    HotPath { name, unit: "operation", units: 1, few, many, ready }
}

/// A path that goes over so many events each time.
const fn read(name: &'static str, events: u64, ready: Ready) -> HotPath {
    HotPath { name, unit: "event", units: events, few: 1, many: 3, ready }
}

impl HotPath {
    /// Makes ready what the operation needs; a log on disk lies in `dir`.
    pub(crate) fn ready(&self, dir: &Path) -> Result<Operation, BenchError> {
        (self.ready)(dir)
    }

    /// Warms up and does so many operations.
    pub(crate) fn run(&self, mut operation: Operation, operations: u64) -> Result<(), BenchError> {
        for _ in 0..WARM_UP + operations {
            let done = operation.step()?;
            if done != self.units {
                let (name, units, unit) = (self.name, self.units, self.unit);
                let what = format!("{name}: {done} of {units} were done, by {unit}");
                return Err(BenchError::Lost(what));
            }
        }
        if operation.is_alone() { Ok(()) } else { Err(BenchError::HalfFull(self.name)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What counts are for is what was done, and names find their paths.
    #[test]
    fn every_path_does_what_it_is_counted_for() {
        let names: HashSet<&str> = HOT_PATHS.iter().map(|path| path.name).collect();
        assert_eq!(names.len(), HOT_PATHS.len());
        for path in &HOT_PATHS {
            assert!(!path.name.contains(','), "{}: names stand in CSV", path.name);
            assert!(path.few < path.many, "{}", path.name);
            let dir = tempfile::tempdir().unwrap();
            let operation = path.ready(&dir.path().join("log")).unwrap();
            path.run(operation, path.many).unwrap();
        }
    }

    #[test]
    fn an_operation_that_does_less_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = HotPath { units: 2, ..HOT_PATHS[2] };
        let error = path.run(path.ready(dir.path()).unwrap(), 1).unwrap_err();
        assert!(error.to_string().contains("checksum of 4 KiB: 1 of 2 were done"), "{error}");
    }
}

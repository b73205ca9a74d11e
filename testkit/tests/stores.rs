//! The stores of Annals keep the contract.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use annals::{Annals, Options, ReadMode};
use annals_testkit::{
    FaultPlan, FaultStore,
    contract::{self, NoRuntime, Runner},
};

fn on_disk(options: Options) -> (Annals, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (options.segment_bytes(64 << 10).open(directory.path()).unwrap(), directory)
}

/// As a store would be called that needs a runtime.
struct Tokio;

impl Runner for Tokio {
    fn run<F: Future>(&self, future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }
}

annals_testkit::store_contract!(in_memory, || (Annals::in_memory().unwrap(), ()));
annals_testkit::store_contract!(in_files_that_are_mapped, || on_disk(Options::new()));
annals_testkit::store_contract!(in_files_that_are_read, || {
    on_disk(Options::new().read_mode(ReadMode::Pread))
});
annals_testkit::store_contract!(in_a_runtime, || (Annals::in_memory().unwrap(), ()), Tokio);
annals_testkit::store_contract!(without_planned_faults, || {
    (FaultStore::new(Annals::in_memory().unwrap(), FaultPlan::new()), ())
});

#[test]
fn a_directory_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Options::new().segment_bytes(64 << 10).open(directory.path()).unwrap();
    let closed = contract::survives_reopening(open(), &NoRuntime, |annals: Annals| {
        annals.close().unwrap();
        open()
    });
    assert_eq!(closed, Ok(()));
}

#[test]
fn a_directory_survives_that_its_handles_are_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Options::new().segment_bytes(64 << 10).open(directory.path()).unwrap();
    let dropped = contract::survives_reopening(open(), &NoRuntime, |annals: Annals| {
        drop(annals);
        open()
    });
    assert_eq!(dropped, Ok(()));
}

//! The systems, each in a file of its own.

mod annals;
mod eventcore;
mod fjall;
mod lmdb;
mod okaywal;
mod raft_engine;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;
mod tephra;
mod umadb;

use crate::system::Peer;

/// All of them, in the order of the page's tables.
pub(crate) const ALL: &[Peer] = &[
    annals::THREADS,
    annals::TASKS,
    tephra::THREADS,
    tephra::TASKS,
    umadb::UMADB,
    eventcore::MEMORY,
    eventcore::SQLITE,
    raft_engine::RAFT_ENGINE,
    okaywal::OKAYWAL,
    okaywal::GATHERED,
    fjall::FJALL,
    fjall::GATHERED,
    #[cfg(feature = "rocksdb")]
    rocksdb::ROCKSDB,
    sqlite::SQLITE,
    sqlite::GATHERED,
    lmdb::LMDB,
    lmdb::GATHERED,
    redb::REDB,
    redb::GATHERED,
];

/// What this program was built without, and why.
pub(crate) const MISSING: &[(&str, &str)] = &[
    #[cfg(not(feature = "rocksdb"))]
    (
        "rocksdb",
        "this program was built with `--no-default-features`, without a C++ compiler or libclang",
    ),
];

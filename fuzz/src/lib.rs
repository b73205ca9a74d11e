//! What the fuzz targets share: inputs as directories of files, a mutator that mends checksums, a
//! cap on memory, and the targets themselves. A target panics when Annals does something wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod archive;
#[path = "../../tests/common/mod.rs"]
mod common;
mod memory;
mod mend;
mod mutate;
#[path = "../../tests/common/naive/mod.rs"]
mod naive;
#[path = "../../tests/common/plain.rs"]
mod plain;
mod seeds;
mod show;
mod targets;

pub use mutate::{Fuzzer, Input, mutate_archive, mutate_frames, mutate_image};
pub use seeds::write_seeds;
pub use show::show;
pub use targets::{canary, commit, dump, frame, image, model, store};

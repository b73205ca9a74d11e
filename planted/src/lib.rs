//! Bugs that can be planted into Annals, to see its tests catch them.
//!
//! Where the store keeps a promise it asks whether the bug that breaks it is planted. It never is,
//! unless the feature `planted` is on and the environment variable `ANNALS_PLANTED` names it: the
//! compiler removes the question with its answer.
//!
//! `docs/guarantees.md` has a table of the bugs and of the tests that catch them; the example
//! `hunt` of this crate runs each of these tests, without its bug and with it.

mod bug;
mod plant;

pub use bug::Bug;
pub use plant::planted;

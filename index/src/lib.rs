//! Which streams exist, at which version, and where their events lie. Pure memory, no I/O:
//! rebuilt from the log, or from images of sealed segments, whenever the log is opened.
//!
//! Invariant: an entry exists from the moment its commit is sequenced, and is never taken back.
//! Readers decide by position what they may see.

mod ids;
mod image;
mod index;
#[cfg(all(test, annals_loom))]
mod models;
mod names;
mod pieces;
mod places;
mod runs;
mod state;

pub use image::{Image, ImageBytes, ImageEntry, ImageFault, ImageSource};
pub use index::{ContinuingImage, Index, IndexStats, Update, WrongIds};
pub use names::StreamNumber;
pub use places::{Identified, Place, SegmentPlaces};
pub use runs::{Run, VersionAt};
pub use state::{CommitPlace, Head};

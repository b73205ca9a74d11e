//! What is held against what: each target is a function of its input.

mod canary;
mod commit;
mod dump;
mod frame;
mod image;
mod model;
mod store;

pub use canary::canary;
pub use commit::commit;
pub use dump::dump;
pub use frame::frame;
pub use image::image;
pub use model::model;
pub(crate) use store::open;
pub use store::store;

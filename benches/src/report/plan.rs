//! What the report asks of every backend: the same commands, and how the streams must end.
//!
//! Commands come from a seed and their number alone, so that any caller can take the next one. The
//! order in which they are carried out changes neither what is accepted nor how streams end: there
//! is so much money and so much stock at first that only what asks for more than ever was is
//! rejected. Therefore [`EndState`]s of all backends can be required to be equal.

mod batch;
mod draw;
mod end_state;
mod financial;
mod orders;
mod workload;

pub use batch::{Batch, BatchAppend};
pub use end_state::{EndState, Ending};
pub use financial::{Financial, Payment};
pub use orders::{Order, Orders};
pub use workload::Workload;

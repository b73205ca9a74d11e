//! Power cuts under Annals stores on real filesystems.
//!
//! A disk in user space records every write, discard and flush of a filesystem on which a workload
//! runs (`device`, `recorder`). From the recording follow the disks that a power cut may leave
//! behind (`states`). Each is made in memory and mounted, so that the kernel recovers the
//! filesystem; the store is opened and held to what it had acknowledged (`examiner`, `ledger`).
#![allow(clippy::disallowed_methods, reason = "it looks at files and waits by itself")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod bytes;
mod image;
mod number;

mod ledger;
mod note;
mod request;
mod shown;
mod violation;

mod recording;
mod states;
mod testimony;

mod filesystem;
mod loop_device;
mod mount;
mod namespace;
mod programs;
mod requirements;

mod block_fault;
mod device;
mod recorder;
mod rehearsal;

mod caller;
mod failing;
mod full;
mod meddled;
mod notes;
mod perform;
mod plant;
mod script;
mod shut_down;
mod stage;
mod unreadable;
mod watch;
mod workload;

mod examiner;
mod pool;

mod calls;
mod campaign;
mod evidence;
mod gate;
mod machine;
mod part;
mod plants;
mod report;
mod trials;

mod arguments;
mod error;
mod execute;
mod progress;

pub use arguments::Arguments;
pub use error::PowercutError;
pub use execute::execute;

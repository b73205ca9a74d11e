//! A simulated disk, clock and randomness for tests: crashes lose what was not synced, faults
//! come when they are told to, and the same calls always have the same results.
//!
//! The disk is as bad as POSIX allows. Until [`File::sync_data`] returns, any 512-byte sector of
//! a file may or may not reach the medium, and so may its size; until [`Directory::sync`]
//! returns, any name may. [`SimDisk::crash`] makes one of the disks that a power failure could
//! leave behind, [`SimDisk::fail_at`] makes a call fail.
//!
//! ```
//! use annals_sim::{CrashPlan, SimDisk};
//! use annals_wal::Directory;
//!
//! let disk = SimDisk::new();
//! let file = disk.create("log")?;
//! disk.sync()?;
//! file.write_at(0, b"synced")?;
//! file.sync_data()?;
//! file.write_at(6, b", not synced")?;
//!
//! let after = disk.crash(CrashPlan::durable_only());
//! assert_eq!(after.read_file("log").unwrap(), b"synced");
//! let after = disk.crash(CrashPlan::everything());
//! assert_eq!(after.read_file("log").unwrap(), b"synced, not synced");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`File::sync_data`]: annals_wal::File::sync_data
//! [`Directory::sync`]: annals_wal::Directory::sync

mod num;
mod random;

mod content;
mod fault;
mod inode;
mod names;
mod trace;

mod state;

mod file;

mod disk;

mod crash;
mod tamper;

mod environment;

pub use crash::CrashPlan;
pub use disk::SimDisk;
pub use environment::SimEnvironment;
pub use fault::{Fault, Times};
pub use inode::Fill;
pub use random::Random;

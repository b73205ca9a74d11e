//! Locks, atomics and threads: the system's, or those of a model checker, which runs the same code
//! in every order that it can think of.
//!
//! With `--cfg annals_loom` they are those of `loom`, which goes through all orders of a few steps
//! and what weak memory shows in each; with `--cfg annals_shuttle` those of `shuttle`, which goes
//! through very many orders of long runs. Otherwise they are those of `parking_lot` and the
//! standard library, and cost nothing more.

#[cfg(annals_loom)]
#[doc(hidden)]
pub mod fenced;
#[cfg(any(annals_loom, annals_shuttle))]
mod model;
#[cfg(annals_loom)]
#[doc(hidden)]
pub mod parking;
#[cfg(not(any(annals_loom, annals_shuttle)))]
mod system;

#[cfg(any(annals_loom, annals_shuttle))]
pub use model::{
    Condvar, Mutex, MutexGuard, Receiver, RwLock, RwLockReadGuard, RwLockWriteGuard, Sender,
    WakeWord, atomic, looks, thread, unbounded,
};
#[cfg(not(any(annals_loom, annals_shuttle)))]
pub use system::{
    Condvar, Mutex, MutexGuard, Receiver, RwLock, RwLockReadGuard, RwLockWriteGuard, Sender,
    WakeWord, atomic, looks, thread, unbounded,
};

//! A second decoder of the log, written from `docs/format.md` alone and sharing no code with the
//! first: slow, short, and owning what it finds. Where the two differ, one of them, or the
//! document, is wrong.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod commit;
mod log;
mod segment;

pub(crate) use commit::{Event, Head, commit};
pub(crate) use log::{Files, Log, Refusal, log};
pub(crate) use segment::{
    Frame, FrameKind, Frames, Header, HeaderFault, Place, Verdict, crc, frames, header, number,
};

//! The filesystem fills up while a workload runs on it, and has room again later.
//!
//! The store notices while it prepares a segment: appends are refused, none is lost, and it goes
//! on when there is room. A filesystem that copies on write may also fail to overwrite: that is
//! a failed write like any other.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use annals::Annals;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use crate::{
    error::PowercutError,
    filesystem::Filesystem,
    stage::{Stage, broken, sync_all},
};

/// The file that takes up the room.
const BALLAST: &str = "ballast";

/// How many rounds of appends it may take until there is no room left.
const ROUNDS_MAX: u64 = 20;

/// Where the file that takes up the room is, beside a store.
pub(crate) fn ballast(store: &Path) -> PathBuf {
    store.with_file_name(BALLAST)
}

/// Goes through a workload while the filesystem fills up, and when there is room again.
///
/// # Errors
/// The store breaks its word.
pub(crate) fn run(stage: &Stage) -> Result<(), PowercutError> {
    let store = open(stage)?;
    stage.call_all(&store, 0)?;
    let io = PowercutError::io("fill the filesystem");
    fill(&ballast(&stage.place)).map_err(&io)?;
    let refused = append_until_refused(stage, &store)?;
    if refused == 0 && !stage.desk.is_poisoned() {
        return Err(PowercutError::BrokenWord("it took more than there is room for".to_owned()));
    }
    may_close(stage, store)?;
    let store = match open(stage) {
        Ok(store) => Some(store),
        // It may have to overwrite what is not proven to be on disk.
        Err(_) if copies_on_write(stage) => None,
        Err(error) => return Err(error),
    };
    if let Some(store) = store {
        stage.call_all(&store, ROUNDS_MAX)?;
        may_close(stage, store)?;
    }
    remove_ballast(&stage.place).map_err(PowercutError::io("make room"))?;
    go_on(stage)
}

fn copies_on_write(stage: &Stage) -> bool {
    stage.filesystem == Filesystem::Btrfs
}

fn open(stage: &Stage) -> Result<Annals, PowercutError> {
    let store = stage.open().map_err(|error| broken("the store cannot be opened", &error))?;
    stage.note_what_is_found(&store)?;
    Ok(store)
}

/// Appends until the store has no room; says how many it refused.
fn append_until_refused(stage: &Stage, store: &Annals) -> Result<u64, PowercutError> {
    for round in 1..ROUNDS_MAX {
        stage.call_all(store, round)?;
        if stage.desk.is_poisoned() && !copies_on_write(stage) {
            let said = store.stats().poisoned.unwrap_or_default();
            return Err(PowercutError::BrokenWord(format!("a full disk was a failure: {said}")));
        }
        if stage.desk.is_poisoned() || stage.desk.no_room() > 0 {
            break;
        }
    }
    Ok(stage.desk.no_room())
}

/// Closing writes a mark that there is always room for, unless overwriting needs room.
fn may_close(stage: &Stage, store: Annals) -> Result<(), PowercutError> {
    let closed = store.close();
    drop(store);
    match closed {
        Err(error) if !copies_on_write(stage) => Err(broken("the store does not close", &error)),
        _ => Ok(()),
    }
}

/// With room, everything is taken again.
fn go_on(stage: &Stage) -> Result<(), PowercutError> {
    let store = open(stage)?;
    let before = stage.desk.no_room();
    stage.call_all(&store, ROUNDS_MAX + 1)?;
    if stage.desk.no_room() > before || stage.desk.is_poisoned() {
        let what = "it does not go on although there is room again".to_owned();
        return Err(PowercutError::BrokenWord(what));
    }
    store.close().map_err(|error| broken("the store does not close", &error))
}

/// Takes up all the room that there is: in large pieces, then in small ones.
fn fill(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let mut end = 0;
    for piece in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
        loop {
            match fallocate(&file, FallocateFlags::empty(), end, piece) {
                Ok(()) => end += piece,
                Err(Errno::NOSPC) => break,
                Err(error) => return Err(error.into()),
            }
        }
        file.sync_all()?;
    }
    Ok(())
}

/// Removes what takes up the room, if it is there.
///
/// # Errors
/// As the system says.
pub(crate) fn remove_ballast(store: &Path) -> io::Result<()> {
    match fs::remove_file(ballast(store)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed?;
            store.parent().map_or(Ok(()), sync_all)
        }
    }
}

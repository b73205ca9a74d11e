//! The medium fails while the store reads: the disk takes writes, and gives nothing back.
//!
//! Where files are read, that is an error, and the store goes on. Where they are mapped, the system
//! has no other word for it than `SIGBUS`, which ends the process. Nothing is lost in either.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use annals::{LogQuery, ReadError, ReadMode};
use rustix::fs::{Advice, fadvise};

use crate::{
    error::PowercutError,
    note::Note,
    stage::{Stage, broken},
};

/// Goes through a workload, and reads it from a disk that cannot be read.
///
/// # Errors
/// The store breaks its word.
pub(crate) fn run(stage: &Stage) -> Result<(), PowercutError> {
    let open = || stage.open().map_err(|error| broken("the store cannot be opened", &error));
    let close = |error| broken("the store does not close", &error);
    let store = open()?;
    stage.note_what_is_found(&store)?;
    stage.call_all(&store, 0)?;
    store.close().map_err(close)?;
    drop(store);
    let store = open()?;
    forget(&stage.place).map_err(PowercutError::io("have the files forgotten"))?;
    stage.desk.note(&Note::Unreadable)?;
    let read = store.read_all(LogQuery::forward()).collect::<Result<Vec<_>, _>>();
    match read {
        Err(ReadError::Io(_)) if stage.desk.workload().read_mode == ReadMode::Pread => {}
        Err(error) => {
            return Err(broken("it says something else than that it cannot read", &error));
        }
        Ok(_) => {
            let what = "it read what the disk does not give, or this check checks nothing";
            return Err(PowercutError::BrokenWord(what.to_owned()));
        }
    }
    stage.desk.note(&Note::Healed)?;
    stage.note_what_is_found(&store)?;
    stage.call_all(&store, 1)?;
    store.close().map_err(close)
}

/// Has the system forget what it remembers of files that nobody has mapped.
fn forget(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            fadvise(File::open(path)?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

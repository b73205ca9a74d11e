//! The disk fails while a workload runs on it, and works again later.
//!
//! Whatever fails, the store acknowledges nothing after the first failure that it told of, and
//! goes on showing what it acknowledged before. Opened again in the same boot it goes on, unless
//! the filesystem itself gave up.

use std::{fs::OpenOptions, io, io::Write, path::Path};

use annals::{Annals, OpenError, ReadError};

use crate::{
    error::PowercutError,
    note::Note,
    shown::Shown,
    stage::{Stage, broken},
};

/// How often the store is opened while the disk may fail.
const SICK_ROUNDS: u64 = 2;

/// How often the store may fail after the disk works again: errors of before may still have to be
/// told to somebody, and calls fail up to four times in a row.
const RELAPSES_MAX: u64 = 5;

/// Goes through a workload on a disk that fails.
///
/// # Errors
/// The store breaks its word.
pub(crate) fn run(stage: &Stage) -> Result<(), PowercutError> {
    be_sick(stage)?;
    stage.desk.note(&Note::Healed)?;
    let mut said = String::new();
    for round in SICK_ROUNDS..SICK_ROUNDS + RELAPSES_MAX {
        if !works(&stage.place) {
            // Nobody can go on here before the next boot.
            return Ok(());
        }
        match is_well_after(stage, round)? {
            None => return Ok(()),
            Some(failure) => said = failure,
        }
    }
    let what = format!("the store does not go on although the disk works again: {said}");
    Err(PowercutError::BrokenWord(what))
}

/// Goes through the part of it in which the disk, or calls of the system, may fail.
///
/// # Errors
/// The store breaks its word.
pub(crate) fn be_sick(stage: &Stage) -> Result<(), PowercutError> {
    for round in 0..SICK_ROUNDS {
        is_well_after(stage, round)?;
    }
    Ok(())
}

/// One round; says what failed, if anything did.
fn is_well_after(stage: &Stage, round: u64) -> Result<Option<String>, PowercutError> {
    let store = match stage.open() {
        Ok(store) => store,
        Err(OpenError::Io { action, file, source }) => {
            return Ok(Some(format!("cannot {action} {file}: {source}")));
        }
        Err(error) => return Err(broken("the store cannot be opened", &error)),
    };
    match Shown::by(&store) {
        Ok(shown) => stage.note_what_is_shown(&shown)?,
        Err(ReadError::Io(failure)) if stage.may_misread => return Ok(Some(failure.to_string())),
        Err(error) if works(&stage.place) => {
            return Err(broken("what was opened is unread", &error));
        }
        // What cannot be read on a filesystem that gave up is not known.
        Err(error) => return Ok(Some(error.to_string())),
    }
    let refused = stage.desk.no_room();
    stage.call_all(&store, round)?;
    hold_to_what_was_acknowledged(stage, &store)?;
    let closed = store.close();
    let poisoned = store.stats().poisoned;
    match (stage.desk.is_poisoned(), poisoned, closed) {
        (true, None, _) => {
            Err(PowercutError::BrokenWord("it failed, and does not say so".to_owned()))
        }
        (true, Some(_), Ok(())) => {
            Err(PowercutError::BrokenWord("it failed, and closed well".to_owned()))
        }
        (_, Some(failure), Err(_)) => Ok(Some(failure)),
        (_, None, Err(error)) => Err(broken("it did not fail, and does not close", &error)),
        (false, Some(failure), Ok(())) => {
            Err(PowercutError::BrokenWord(format!("it closed well although: {failure}")))
        }
        (false, None, Ok(())) if stage.desk.no_room() > refused => {
            Ok(Some("no room for the next segment".to_owned()))
        }
        (false, None, Ok(())) => Ok(None),
    }
}

/// A store that failed shows what it acknowledged, and nothing else.
fn hold_to_what_was_acknowledged(stage: &Stage, store: &Annals) -> Result<(), PowercutError> {
    let shown = match Shown::by(store) {
        Ok(shown) => shown,
        // A filesystem that gave up does not even read.
        Err(ReadError::Io(_)) if stage.may_misread || !works(&stage.place) => return Ok(()),
        Err(error) => return Err(broken("it cannot be read", &error)),
    };
    let (shown, last) = (shown.position, stage.desk.last());
    if shown == last {
        return Ok(());
    }
    let what = format!("it shows {shown} events, and acknowledged {last}");
    Err(PowercutError::BrokenWord(what))
}

/// Whether anybody can write on this filesystem.
fn works(beside: &Path) -> bool {
    let attempt = || -> io::Result<()> {
        let path = beside.with_extension("probe");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(b"does it work?")?;
        file.sync_all()
    };
    attempt().is_ok()
}

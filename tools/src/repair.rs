//! `log-dump repair`: flipped bits put right, where it is proven that something durable was damaged.
//!
//! 1. With `--write`, the writer's lock is taken: nobody changes the log meanwhile.
//! 2. The bits are found ([`annals_wal::find_repairs`]).
//! 3. The log is verified as it will be, and what is still wrong is told, with what is lost.
//! 4. With `--write`, the bits are flipped ([`annals_wal::write_repairs`]).

use std::{io, ops::ControlFlow, sync::Arc};

use annals_wal::{
    Directory, FrameKind, FrameView, Header, LockError, Mended, Part, Repair, SegmentBytes,
    Successor, WriterLock, find_repairs, write_repairs,
};

use crate::{
    commit::Commit,
    console::{Console, Outcome},
    error::DumpError,
    escape::escape,
    log_directory::LogDirectory,
    verify::verify,
    walk::{State, Walk, is_in_place},
    words::{counted, positions},
};

/// Whether to change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairMode {
    /// Only say what would be done.
    DryRun,
    /// Do it.
    Write,
}

/// Finds flipped bits, verifies the log as it would be without them, and with
/// [`RepairMode::Write`] puts them right. What else is damaged stays as it is.
///
/// # Errors
/// [`DumpError`]: the directory has no log, a writer has it open, or a file cannot be read or
/// written. A damaged log is an [`Outcome`].
pub fn repair(
    directory: &Arc<dyn Directory>,
    mode: RepairMode,
    console: &mut Console<'_>,
) -> Result<Outcome, DumpError> {
    // Whether it is a log, before a lock is put into it.
    LogDirectory::open_on(directory.clone())?;
    let lock = match mode {
        RepairMode::Write => Some(lock(&**directory)?),
        RepairMode::DryRun => None,
    };
    let is_sane =
        |header: &Header, frame: &FrameView<'_>| Commit::decode(header.log_id, frame).is_ok();
    let repairs = find_repairs(&**directory, &is_sane)?;
    for repair in &repairs {
        console.line(escape(&describe(repair)))?;
    }
    let mended = Arc::new(Mended::new(directory.clone(), repairs.clone()));
    let mended = LogDirectory::open_on(mended)?;
    let outcome = verify(&mended, console)?;
    tell_losses(&mended, console)?;
    let count = counted(u64::try_from(repairs.len()).unwrap_or(u64::MAX), "flipped bit");
    if repairs.is_empty() {
        console
            .line("repair: no flipped bit was found that can be put right; nothing is changed")?;
    } else if mode == RepairMode::DryRun {
        console.line(format_args!(
            "repair: {count} can be put right, as above; nothing is changed without --write"
        ))?;
    } else {
        write_repairs(&**directory, &repairs)?;
        console.line(format_args!(
            "repair: {count} put right; what was damaged is kept in files that end with .damaged"
        ))?;
    }
    drop(lock);
    let is_left = mode == RepairMode::DryRun && !repairs.is_empty();
    Ok(if is_left { Outcome::Damaged } else { outcome })
}

fn lock(log: &dyn Directory) -> Result<Box<dyn WriterLock>, DumpError> {
    let directory = log.display("");
    log.lock().map_err(|error| match error {
        LockError::Held { holder } => DumpError::InUse { directory, holder },
        LockError::Io(source) => DumpError::NoLock { directory, source },
        error => DumpError::NoLock { directory, source: io::Error::other(error) },
    })
}

fn describe(repair: &Repair) -> String {
    let Repair { path, bit, found, region, .. } = repair;
    let place = match repair.part {
        Part::Header => "the header".to_owned(),
        Part::Head => format!("the head of the frame at byte {}", region.start),
        Part::Body => format!("the body of the frame at byte {}", region.start),
        Part::Behind => "the zeroes behind the seal".to_owned(),
    };
    let positions = match repair.part {
        Part::Head | Part::Body if repair.first_record < repair.next_record => {
            format!(", {}", positions(repair.first_record, repair.next_record))
        }
        _ => String::new(),
    };
    let right = found ^ bit.mask;
    format!(
        "flipped bit: {path}, byte {}: {found:#04x} should be {right:#04x}; in {place}{positions}",
        bit.offset
    )
}

/// Tells which positions cannot be read any more, segment by segment.
fn tell_losses(log: &LogDirectory, console: &mut Console<'_>) -> Result<(), DumpError> {
    let mut walk = Walk::new(log);
    while let Some(walked) = walk.next(&mut |_, _| Ok(ControlFlow::Continue(())))? {
        if walked.state != State::Damaged {
            continue;
        }
        let next = walk.peek().map(|next| next.first_record);
        let bytes = walked.file.read(&*log.directory).ok().filter(|_| is_in_place(walked.file));
        let losses = match &bytes {
            Some(bytes) => losses(bytes, next),
            None => vec![(walked.file.first_record, next)],
        };
        for (first, next) in
            losses.into_iter().filter(|(first, next)| next.is_none_or(|next| *first < next))
        {
            let lost = match next {
                Some(next) => positions(first, next),
                None => format!("every position from {first} on, as far as there were any"),
            };
            console.line(format_args!("lost in {}: {lost}", escape(&walked.file.path)))?;
        }
    }
    Ok(())
}

/// Between which frames of a segment positions are lost: the first, and the one after the last,
/// where that is known. `next` is the first of the segment after it.
fn losses(bytes: &SegmentBytes, next: Option<u64>) -> Vec<(u64, Option<u64>)> {
    let mut losses = Vec::new();
    let mut frames = bytes.frames();
    loop {
        let last = frames.by_ref().last();
        let end = frames.next_record();
        let Some(behind) = bytes.frames_behind(&frames) else {
            let is_sealed = last.is_some_and(|frame| frame.head.kind == FrameKind::Seal);
            let is_end = is_sealed || next.is_none() && frames.ending(Successor::None).is_ok();
            losses.extend((!is_end).then_some((end, next)));
            return losses;
        };
        losses.push((end, Some(behind.next_record())));
        frames = behind;
    }
}

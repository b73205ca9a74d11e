//! Memory that was never used before makes everything slow that fills the page cache: a virtual
//! machine gets it from its host page by page. So it is touched before anything is measured.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Instant,
};

use crate::{
    error::BenchError,
    number::{float, human, wide},
    progress::Progress,
    scratch::Scratch,
};

const PIECE_BYTES: usize = 1 << 20;

const GIB: f64 = 1_073_741_824.0;

/// Fills the page cache with a file and removes that, so that what is measured gets memory that
/// was used before. No more than half of the memory that is available, and of the room on the
/// disk. Says what was done, for the record.
pub(crate) fn touch(
    gib: f64,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<String, BenchError> {
    let path = scratch.path("touched");
    let available = available(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let room = room(&scratch.path("")).map_err(BenchError::of_file("look at", &path))?;
    let pieces = pieces(gib, available, room);
    if pieces == 0 {
        return Ok("none".to_owned());
    }
    progress.begin("mem", pieces);
    progress.now("touching memory");
    let start = Instant::now();
    write(&path, pieces, progress).map_err(BenchError::of_file("write to", &path))?;
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_file(&path).map_err(BenchError::of_file("remove", &path))?;
    let touched = float(pieces) * float(wide(PIECE_BYTES));
    Ok(format!("{} GiB, at {} GB/s", human(touched / GIB), human(touched / seconds / 1e9)))
}

/// How many pieces are written, all limits observed.
fn pieces(gib: f64, available: u64, room: u64) -> u64 {
    let wanted = std::time::Duration::try_from_secs_f64(gib * 1024.0);
    let wanted = wanted.map_or(0, |pieces| pieces.as_secs());
    wanted.min(available.min(room) / 2 / wide(PIECE_BYTES))
}

/// How many bytes of memory can be had without swapping. 0 where the system does not say.
fn available(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// How many bytes the file system has left for this user.
fn room(directory: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(directory)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

fn write(path: &Path, pieces: u64, progress: &Progress) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let piece = vec![0xA5; PIECE_BYTES];
    for _ in 0..pieces {
        file.write_all(&piece)?;
        progress.done();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_there_is_the_most() {
        const GIB: u64 = 1 << 30;
        assert_eq!(pieces(3.0, 20 * GIB, 60 * GIB), 3 * 1024);
        assert_eq!(pieces(3.0, 4 * GIB, 60 * GIB), 2 * 1024);
        assert_eq!(pieces(3.0, 20 * GIB, GIB), 512);
        assert_eq!(pieces(0.0, 20 * GIB, 60 * GIB), 0);
        assert_eq!(pieces(0.5, 20 * GIB, 60 * GIB), 512);
        assert_eq!(available("MemFree:  7 kB\nMemAvailable:   12 kB\n"), 12 * 1024);
        assert_eq!(available(""), 0, "where the system does not say, nothing is touched");
    }

    #[test]
    fn what_was_written_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let interrupt = crate::interrupt::Interrupt::listen().unwrap();
        let scratch = Scratch::new(directory.path(), &interrupt).unwrap();
        let said = touch(0.01, &scratch, &Progress::new()).unwrap();
        assert!(said == "none" || said.contains(" GiB, at "), "{said}");
        assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 0);
    }
}

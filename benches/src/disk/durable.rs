//! D2: the system calls that make a write durable.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use crate::{
    disk::{
        case::{Sample, Trial, WRITE_BYTES, bytes},
        mapped::Mapped,
        prepared::{self, Offsets, PIECE_BYTES},
        timed::Timed,
        way::{Way, all_of},
    },
    error::BenchError,
    number::{human, wide},
    scratch::Scratch,
};

/// Writes of one size, made durable in one way.
#[derive(Debug)]
pub(crate) struct Durable {
    kind: Kind,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Fdatasync,
    Dsync,
    Direct,
    Flagged,
    Mapped,
    Uring,
}

const KINDS: [Kind; 6] =
    [Kind::Fdatasync, Kind::Dsync, Kind::Direct, Kind::Flagged, Kind::Mapped, Kind::Uring];

impl Durable {
    /// Each with its base.
    pub(crate) fn all() -> Vec<(Self, Option<Self>)> {
        let of = |bytes| {
            KINDS.map(|kind| {
                let base = Self { kind: Kind::Fdatasync, bytes };
                (Self { kind, bytes }, (kind != Kind::Fdatasync).then_some(base))
            })
        };
        WRITE_BYTES.into_iter().flat_map(of).collect()
    }
}

impl Kind {
    fn open(self, path: &Path, bytes: usize) -> io::Result<Box<dyn Way>> {
        let payload = vec![0xA5; bytes];
        let open = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        Ok(match self {
            Self::Fdatasync => Box::new(Fdatasync { file: open(0)?, payload }),
            // Not from rustix, whose `OFlags::DSYNC` is O_SYNC on Linux.
            Self::Dsync => Box::new(Dsync { file: open(libc::O_DSYNC)?, payload }),
            Self::Mapped => Box::new(Mapped::new(&open(0)?, payload)?),
            #[cfg(target_os = "linux")]
            Self::Direct => {
                let file = open(libc::O_DSYNC | libc::O_DIRECT)?;
                Box::new(crate::disk::linux::Direct::new(file, bytes))
            }
            #[cfg(target_os = "linux")]
            Self::Flagged => Box::new(crate::disk::linux::Flagged { file: open(0)?, payload }),
            #[cfg(target_os = "linux")]
            Self::Uring => Box::new(crate::disk::uring::Uring::new(open(0)?, payload)?),
            #[cfg(not(target_os = "linux"))]
            Self::Direct | Self::Flagged | Self::Uring => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "only on Linux"));
            }
        })
    }
}

struct Fdatasync {
    file: File,
    payload: Vec<u8>,
}

impl Way for Fdatasync {
    fn step(&self) -> u64 {
        wide(self.payload.len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        all_of(self.payload.len(), self.file.write_at(&self.payload, offset)?)?;
        self.file.sync_data()
    }
}

struct Dsync {
    file: File,
    payload: Vec<u8>,
}

impl Way for Dsync {
    fn step(&self) -> u64 {
        wide(self.payload.len())
    }

    fn write(&mut self, offset: u64) -> io::Result<()> {
        all_of(self.payload.len(), self.file.write_at(&self.payload, offset)?)
    }
}

impl Trial for Durable {
    fn unit(&self) -> &'static str {
        "writes/s"
    }

    fn measure(&self, length: Duration, scratch: &Scratch) -> Result<Sample, BenchError> {
        let path = scratch.path("durable");
        drop(prepared::zeroes(&path, PIECE_BYTES)?);
        let mut timed = Timed::new()?;
        let measured = self.kind.open(&path, self.bytes).and_then(|mut way| {
            let mut offsets = Offsets::default();
            let step = way.step();
            timed.repeat(length, u64::MAX, || way.write(offsets.next(step)))
        });
        // Before the result, because a way that is not available must not leave its file.
        prepared::remove(&path)?;
        measured.map_err(BenchError::of_way("write to", &path))?;
        Ok(timed.sample())
    }

    fn remark(&self, extra: f64) -> String {
        format!("{} us of processor each", human(extra))
    }
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.kind {
            Kind::Fdatasync => "pwrite + fdatasync",
            Kind::Dsync => "O_DSYNC",
            Kind::Direct => "O_DIRECT + O_DSYNC",
            Kind::Flagged => "pwritev2 RWF_DSYNC",
            Kind::Mapped => "mmap + msync",
            Kind::Uring => "io_uring",
        };
        write!(f, "{}, {way}", bytes(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_writes_its_bytes_where_it_is_told_to() {
        // Not in /tmp, which may be a file system without O_DIRECT.
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = directory.path().join("file");
        let mut available = 0;
        for kind in KINDS {
            std::fs::write(&path, vec![0; 65_536]).unwrap();
            let written = kind.open(&path, 5000).and_then(|mut way| {
                way.write(8192)?;
                Ok(way.step())
            });
            match written.map_err(BenchError::of_way("write to", &path)) {
                Ok(step) => {
                    let padded = if kind == Kind::Direct { 8192 } else { 5000 };
                    assert_eq!(step, wide(padded), "{kind:?}");
                    let mut expected = vec![0; 65_536];
                    expected[8192..8192 + padded].fill(0xA5);
                    assert_eq!(std::fs::read(&path).unwrap(), expected, "{kind:?}");
                    available += 1;
                }
                Err(BenchError::NotAvailable(_)) => assert_ne!(kind, Kind::Fdatasync),
                Err(error) => panic!("{kind:?}: {error}"),
            }
        }
        assert!(available >= 3, "{available}");
    }
}

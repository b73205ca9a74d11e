//! D1: what preparing a file does to the writes that follow.

use std::{fmt, fs::File, io, os::unix::fs::FileExt, path::Path, time::Duration};

use crate::{
    disk::{
        case::{Sample, Trial, WRITE_BYTES, bytes},
        prepared::{self, Offsets, PIECE_BYTES, SEGMENT_BYTES},
        timed::Timed,
    },
    error::BenchError,
    number::{human, wide},
    scratch::Scratch,
};

/// Writes of one size to files that are prepared in one way.
#[derive(Debug)]
pub(crate) struct Preparing {
    preparation: Preparation,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Preparation {
    Grown,
    Fallocate,
    /// In pieces of so many bytes.
    Zeroes(usize),
}

const PREPARATIONS: [Preparation; 6] = [
    Preparation::Grown,
    Preparation::Fallocate,
    Preparation::Zeroes(8 << 10),
    Preparation::Zeroes(64 << 10),
    BASE,
    Preparation::Zeroes(1 << 20),
];

const BASE: Preparation = Preparation::Zeroes(PIECE_BYTES);

impl Preparing {
    /// Each with its base.
    pub(crate) fn all() -> Vec<(Self, Option<Self>)> {
        let of = |bytes| {
            PREPARATIONS.map(|preparation| {
                let base = (preparation != BASE).then_some(Self { preparation: BASE, bytes });
                (Self { preparation, bytes }, base)
            })
        };
        WRITE_BYTES.into_iter().flat_map(of).collect()
    }
}

impl Preparation {
    fn make(self, path: &Path) -> Result<File, BenchError> {
        match self {
            Self::Grown => prepared::create(path),
            Self::Fallocate => {
                let file = prepared::create(path)?;
                let allocated = allocate(&file).and_then(|()| file.sync_all());
                if let Err(error) = allocated {
                    prepared::remove(path)?;
                    return Err(BenchError::of_way("allocate", path)(error));
                }
                Ok(file)
            }
            Self::Zeroes(piece_bytes) => prepared::zeroes(path, piece_bytes),
        }
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &File) -> io::Result<()> {
    crate::disk::linux::allocate(file, SEGMENT_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only on Linux"))
}

impl Trial for Preparing {
    fn unit(&self) -> &'static str {
        "writes/s"
    }

    fn measure(&self, length: Duration, scratch: &Scratch) -> Result<Sample, BenchError> {
        let (path, payload) = (scratch.path("prepared"), vec![0xA5; self.bytes]);
        let len = wide(self.bytes);
        let mut timed = Timed::new()?;
        while timed.total < length {
            let file = self.preparation.make(&path)?;
            let mut offsets = Offsets::default();
            let write = || {
                file.write_all_at(&payload, offsets.next(len))?;
                file.sync_data()
            };
            let written = timed.repeat(length, SEGMENT_BYTES / len, write);
            written.map_err(BenchError::of_file("write to", &path))?;
            prepared::remove(&path)?;
        }
        Ok(timed.sample())
    }

    fn remark(&self, extra: f64) -> String {
        format!("{} us of processor each", human(extra))
    }
}

impl fmt::Display for Preparing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", bytes(self.bytes))?;
        match self.preparation {
            Preparation::Grown => f.write_str("grown"),
            Preparation::Fallocate => f.write_str("fallocate"),
            Preparation::Zeroes(piece_bytes) => write!(f, "zeroes, {} pieces", bytes(piece_bytes)),
        }
    }
}

//! The filesystems that are tried, and how they are made and mounted.

use std::{ffi::CStr, fs::OpenOptions, ops::Range, path::Path};

use crate::{
    error::PowercutError,
    image::{Image, PAGE_BYTES},
    number::to_u64,
    programs,
};

/// A filesystem of this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Filesystem {
    /// ext4, with blocks of 4 KiB and a journal of 4 MiB.
    Ext4,
    /// xfs.
    Xfs,
    /// btrfs, on one device.
    Btrfs,
}

impl Filesystem {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As `mount` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filesystem| filesystem.name() == name)
    }

    /// The program that makes one, and its package in Debian.
    pub(crate) fn maker(self) -> (&'static str, &'static str) {
        match self {
            Self::Ext4 => ("mkfs.ext4", "e2fsprogs"),
            Self::Xfs => ("mkfs.xfs", "xfsprogs"),
            Self::Btrfs => ("mkfs.btrfs", "btrfs-progs"),
        }
    }

    /// Small, so that states are made fast; `mkfs.xfs` takes no less.
    fn bytes(self) -> u64 {
        match self {
            Self::Ext4 => 16 << 20,
            Self::Xfs => 300 << 20,
            Self::Btrfs => 128 << 20,
        }
    }

    fn maker_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &[
                "-q",
                "-F",
                "-b",
                "4096",
                "-E",
                "nodiscard,lazy_itable_init=0,lazy_journal_init=0",
            ],
            Self::Xfs => &["-q", "-f", "-K"],
            Self::Btrfs => &["-q", "-f", "-K", "-M"],
        }
    }

    /// What it is mounted with. Several copies of a filesystem are mounted at the same time.
    pub(crate) fn options(self, does_discard: bool) -> &'static CStr {
        match (self, does_discard) {
            (Self::Ext4 | Self::Btrfs, false) => c"",
            (Self::Ext4, true) => c"discard",
            (Self::Xfs, false) => c"nouuid",
            (Self::Xfs, true) => c"nouuid,discard",
            (Self::Btrfs, true) => c"discard=sync",
        }
    }

    /// Whether somebody may ask the system to shut it down as it does by itself when its journal
    /// fails.
    pub(crate) fn shuts_down(self) -> bool {
        matches!(self, Self::Ext4 | Self::Xfs)
    }

    /// Where its superblock is, in bytes. It is written whole or not at all: these filesystems
    /// rely on that themselves, and cannot be mounted where it was torn. (That of xfs is one
    /// sector.)
    pub(crate) fn superblock(self) -> Range<u64> {
        match self {
            Self::Ext4 => 0..4096,
            Self::Xfs => 0..512,
            Self::Btrfs => 65_536..69_632,
        }
    }

    /// Makes an empty one.
    ///
    /// # Errors
    /// As its program or the system says.
    pub(crate) fn make(self, scratch: &Path) -> Result<Image, PowercutError> {
        self.make_sized(scratch, self.bytes())
    }

    /// Makes an empty one of a size in bytes.
    ///
    /// # Errors
    /// As its program or the system says.
    pub(crate) fn make_sized(self, scratch: &Path, bytes: u64) -> Result<Image, PowercutError> {
        let path = scratch.join(format!("{}-{bytes}.new", self.name()));
        let io = PowercutError::io("make a filesystem");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).open(&path).map_err(&io)?;
        file.set_len(bytes).map_err(&io)?;
        let mut arguments: Vec<&std::ffi::OsStr> =
            self.maker_arguments().iter().map(std::ffi::OsStr::new).collect();
        arguments.push(path.as_os_str());
        programs::run(self.maker().0, &arguments)?;
        let made = std::fs::read(&path).map_err(&io)?;
        std::fs::remove_file(&path).map_err(&io)?;
        let mut image = Image::new(bytes);
        for (number, page) in (0..).zip(made.chunks(PAGE_BYTES)) {
            if page.iter().any(|byte| *byte != 0) {
                image.write(number * to_u64(PAGE_BYTES), page);
            }
        }
        Ok(image)
    }
}

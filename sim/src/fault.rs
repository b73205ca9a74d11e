//! Faults on command. Calls are numbered from 1; a fault waits for its number.

use std::io;

/// The handle is not open for that.
pub(crate) const EBADF: i32 = 9;
/// The file would be too large.
pub(crate) const EFBIG: i32 = 27;
/// No space left.
pub(crate) const ENOSPC: i32 = 28;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Any call fails with this kind and has no effect.
    Error(io::ErrorKind),
    /// Any call fails with this error number of Linux and has no effect.
    Os(i32),
    /// `write_at` writes only so many bytes, perhaps none, and says so.
    ShortWrite(usize),
    /// `sync_data` or `sync` returns `Ok`, and nothing is durable. A later honest one makes up
    /// for it.
    LyingSync,
}

impl Fault {
    /// A signal came before anything was done.
    pub const EINTR: Self = Self::Os(4);
    /// The medium failed.
    pub const EIO: Self = Self::Os(5);
    /// Not now.
    pub const EAGAIN: Self = Self::Os(11);
    /// Too many open files.
    pub const EMFILE: Self = Self::Os(24);
    /// The file would be too large.
    pub const EFBIG: Self = Self::Os(EFBIG);
    /// No space left.
    pub const ENOSPC: Self = Self::Os(ENOSPC);
    /// The file system became read-only.
    pub const EROFS: Self = Self::Os(30);
    /// The quota is used up.
    pub const EDQUOT: Self = Self::Os(122);

    /// Every error above, for tests that try them all.
    pub const ERRORS: [Self; 8] = [
        Self::EINTR,
        Self::EIO,
        Self::EAGAIN,
        Self::EMFILE,
        Self::EFBIG,
        Self::ENOSPC,
        Self::EROFS,
        Self::EDQUOT,
    ];

    fn error(self) -> Option<io::Error> {
        match self {
            Self::Error(kind) => Some(kind.into()),
            Self::Os(code) => Some(io::Error::from_raw_os_error(code)),
            Self::ShortWrite(_) | Self::LyingSync => None,
        }
    }

    fn short_write(self) -> Option<usize> {
        match self {
            Self::ShortWrite(len) => Some(len),
            _ => None,
        }
    }

    fn lying_sync(self) -> Option<()> {
        (self == Self::LyingSync).then_some(())
    }
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The call with its number, if the fault can meet it.
    Once,
    /// Every call from that number on that the fault can meet.
    Forever,
}

/// The faults that wait for their calls. Each verb asks for those that can meet it.
#[derive(Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
    /// How many calls a fault has met.
    pub(crate) struck: u64,
}

struct Armed {
    call: u64,
    fault: Fault,
    times: Times,
}

impl Faults {
    pub(crate) fn arm(&mut self, call: u64, fault: Fault, times: Times) {
        self.armed.push(Armed { call, fault, times });
    }

    pub(crate) fn disarm(&mut self) {
        self.armed.clear();
    }

    /// The error that this call fails with.
    pub(crate) fn error(&mut self, call: u64) -> Option<io::Error> {
        self.strike(call, Fault::error)
    }

    /// How many bytes this write is limited to.
    pub(crate) fn short_write(&mut self, call: u64) -> Option<usize> {
        self.strike(call, Fault::short_write)
    }

    /// Whether this sync lies.
    pub(crate) fn lying_sync(&mut self, call: u64) -> bool {
        self.strike(call, Fault::lying_sync).is_some()
    }

    /// The first armed fault of the asked sort that meets the call.
    fn strike<T>(&mut self, call: u64, effect: impl Fn(Fault) -> Option<T>) -> Option<T> {
        let meets = |armed: &&Armed| match armed.times {
            Times::Once => call == armed.call,
            Times::Forever => call >= armed.call,
        };
        let effect = self.armed.iter().filter(meets).find_map(|armed| effect(armed.fault))?;
        self.struck += 1;
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_meets_one_call_and_forever_all_that_follow() {
        let mut faults = Faults::default();
        faults.arm(2, Fault::EIO, Times::Once);
        faults.arm(4, Fault::Error(io::ErrorKind::Other), Times::Forever);
        let codes: Vec<_> = (1..=5).map(|call| faults.error(call)).collect();
        assert!(codes[0].is_none() && codes[2].is_none());
        assert_eq!(codes[1].as_ref().unwrap().raw_os_error(), Some(5));
        assert_eq!(codes[3].as_ref().unwrap().kind(), io::ErrorKind::Other);
        assert_eq!(codes[4].as_ref().unwrap().kind(), io::ErrorKind::Other);
        assert_eq!(faults.struck, 3);
        faults.disarm();
        assert!(faults.error(6).is_none());
    }

    #[test]
    fn a_fault_meets_only_what_it_can() {
        let mut faults = Faults::default();
        faults.arm(1, Fault::ShortWrite(3), Times::Forever);
        faults.arm(1, Fault::LyingSync, Times::Forever);
        assert!(faults.error(1).is_none());
        assert_eq!(faults.short_write(1), Some(3));
        assert!(faults.lying_sync(1));
    }

    #[test]
    fn error_numbers_are_those_of_linux() {
        let kind = |fault: Fault| fault.error().unwrap().kind();
        assert_eq!(kind(Fault::EINTR), io::ErrorKind::Interrupted);
        assert_eq!(kind(Fault::EAGAIN), io::ErrorKind::WouldBlock);
        assert_eq!(kind(Fault::ENOSPC), io::ErrorKind::StorageFull);
        assert_eq!(kind(Fault::EFBIG), io::ErrorKind::FileTooLarge);
        assert_eq!(kind(Fault::EROFS), io::ErrorKind::ReadOnlyFilesystem);
        assert_eq!(kind(Fault::EDQUOT), io::ErrorKind::QuotaExceeded);
    }
}

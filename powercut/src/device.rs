//! A disk in user space: one file that a loop device makes a block device of. Every write, discard
//! and flush of it is recorded; a second file takes notes, so that they have their place in
//! between.
//!
//! It answers one request after the other. What it has answered before a flush came counts as
//! covered by it.

use std::{
    ffi::OsStr,
    fmt, io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use parking_lot::Mutex;

use crate::{
    block_fault::{BlockFault, BlockFaults, BlockRequest},
    bytes::Taker,
    image::Image,
    note::Note,
    number::{to_u64, to_usize},
    recording::Happening,
};

/// The file that takes notes.
pub(crate) const NOTES: &str = "notes";

const NOTES_INODE: u64 = 2;
/// Disk number n is this inode plus n: each is a new file to the system, which remembers nothing
/// of those before.
const DISK_INODE: u64 = 16;
/// Nothing changes without the system knowing.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
/// One write of the disk is one request as far as possible, in bytes.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// What is inserted and what happened to it. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Drive(Arc<Mutex<Slot>>);

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Slot {
    disk: Option<Inserted>,
    /// How many were inserted so far.
    count: u64,
}

struct Inserted {
    inode: u64,
    image: Image,
    happenings: Vec<Happening>,
    faults: BlockFaults,
    is_readable: bool,
}

impl Drive {
    /// Inserts a disk; returns its file's name. From now on everything is recorded.
    pub(crate) fn insert(&self, image: Image, fault: Option<BlockFault>) -> String {
        let mut slot = self.0.lock();
        slot.count += 1;
        let (inode, faults) = (DISK_INODE + slot.count, BlockFaults::new(fault));
        let happenings = Vec::new();
        slot.disk = Some(Inserted { inode, image, happenings, faults, is_readable: true });
        disk_name(inode)
    }

    /// Takes a note of something that happened to who works with the disk.
    pub(crate) fn note(&self, note: Note) {
        if let Some(disk) = self.0.lock().disk.as_mut() {
            disk.take_note(note);
        }
    }

    /// The number of the last append that was tried on the disk, if any was.
    pub(crate) fn last_number(&self) -> Option<u64> {
        let slot = self.0.lock();
        let happenings = slot.disk.as_ref().map(|disk| disk.happenings.iter());
        let tried = happenings.into_iter().flatten().filter_map(|happening| match happening {
            Happening::Note(Note::Tried(request)) => Some(request.number),
            _ => None,
        });
        tried.max()
    }

    /// Takes the disk out; returns what happened to it.
    pub(crate) fn eject(&self) -> Vec<Happening> {
        self.0.lock().disk.take().map_or_else(Vec::new, |disk| disk.happenings)
    }
}

fn disk_name(inode: u64) -> String {
    format!("disk-{inode}")
}

impl Inserted {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        if let Err(error) = self.meet(BlockRequest::Write) {
            self.happenings.push(Happening::Failed { offset, bytes: bytes.to_vec() });
            return Err(error);
        }
        self.image.write(offset, bytes);
        self.happenings.push(Happening::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn zero(&mut self, offset: u64, len: u64) -> Result<(), Errno> {
        self.meet(BlockRequest::Write)?;
        self.image.zero(offset, len);
        self.happenings.push(Happening::Zero { offset, len });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Errno> {
        self.meet(BlockRequest::Flush)?;
        self.happenings.push(Happening::Flush);
        Ok(())
    }

    fn meet(&mut self, request: BlockRequest) -> Result<(), Errno> {
        if !self.faults.strikes(request) {
            return Ok(());
        }
        self.happenings.push(Happening::Note(Note::Failed));
        Err(Errno::EIO)
    }

    fn note(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut taker = Taker::new(bytes);
        while !taker.is_empty() {
            let note = Note::take(&mut taker).ok_or(Errno::EINVAL)?;
            self.take_note(note);
        }
        Ok(())
    }

    fn take_note(&mut self, note: Note) {
        match note {
            Note::Healed => {
                self.faults.heal();
                self.is_readable = true;
            }
            Note::Unreadable => self.is_readable = false,
            _ => {}
        }
        self.happenings.push(Happening::Note(note));
    }

    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, Errno> {
        if self.is_readable { Ok(self.image.read(offset, len)) } else { Err(Errno::EIO) }
    }
}

fn attributes(inode: u64, size: u64) -> FileAttr {
    let is_root = INodeNo(inode) == INodeNo::ROOT;
    FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_root { FileType::Directory } else { FileType::RegularFile },
        perm: if is_root { 0o700 } else { 0o600 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Slot {
    fn disk(&mut self, inode: INodeNo) -> Result<&mut Inserted, Errno> {
        self.disk.as_mut().filter(|disk| disk.inode == inode.0).ok_or(Errno::ENXIO)
    }

    /// The file's attributes, if there is one.
    fn look(&mut self, inode: INodeNo) -> Result<FileAttr, Errno> {
        if inode == INodeNo::ROOT || inode == INodeNo(NOTES_INODE) {
            return Ok(attributes(inode.0, 0));
        }
        self.disk(inode).map(|disk| attributes(inode.0, disk.image.size()))
    }

    fn find(&mut self, name: &OsStr) -> Result<FileAttr, Errno> {
        if name == NOTES {
            return self.look(INodeNo(NOTES_INODE));
        }
        let disk = self.disk.as_ref().filter(|disk| name == disk_name(disk.inode).as_str());
        let inode = disk.map(|disk| INodeNo(disk.inode)).ok_or(Errno::ENOENT)?;
        self.look(inode)
    }
}

fn answer(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl fuser::Filesystem for Drive {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // A smaller limit than asked for makes more requests, nothing else.
        let _ = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.0.lock().find(name);
        match found {
            Ok(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.0.lock().look(inode);
        match found {
            Ok(attributes) => reply.attr(&FOR_EVER, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        // Times are not kept.
        self.getattr(request, inode, handle, reply);
    }

    fn open(&self, _request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        // Notes must come here at once; the disk's bytes may be remembered by the system.
        let is_notes = inode == INodeNo(NOTES_INODE);
        let flags =
            if is_notes { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::FOPEN_KEEP_CACHE };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let len = to_usize(u64::from(size));
        let read = self.0.lock().disk(inode).and_then(|disk| disk.read(offset, len));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut slot = self.0.lock();
        let outcome = if inode == INodeNo(NOTES_INODE) {
            slot.disk.as_mut().ok_or(Errno::ENXIO).and_then(|disk| disk.note(bytes))
        } else {
            slot.disk(inode).and_then(|disk| disk.write(offset, bytes))
        };
        drop(slot);
        match outcome {
            Ok(()) => reply.written(u32::try_from(to_u64(bytes.len())).unwrap_or(0)),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        _only_data: bool,
        reply: ReplyEmpty,
    ) {
        let outcome = self.0.lock().disk(inode).and_then(Inserted::flush);
        answer(reply, outcome);
    }

    fn flush(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // That a handle is closed says nothing of the disk.
        reply.ok();
    }

    fn fallocate(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // Punching holes and zeroing ranges: discards, and writes of zeroes.
        let is_zeroing = mode & 0x12 != 0;
        let zero = |disk: &mut Inserted| disk.zero(offset, len);
        let outcome = if is_zeroing {
            self.0.lock().disk(inode).and_then(zero)
        } else {
            Err(Errno::EOPNOTSUPP)
        };
        answer(reply, outcome);
    }
}

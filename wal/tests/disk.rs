//! A directory of the file system, as the log sees it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::{fs, io, os::unix::fs::PermissionsExt};

use annals_wal::{Access, Directory, Disk, LockError};

#[test]
fn files_come_and_go_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::create(&dir.path().join("deep/er")).unwrap();
    let file = disk.create("a").unwrap();
    assert_eq!(file.write_at(3, b"xyz").unwrap(), 3);
    assert_eq!(file.size().unwrap(), 6);
    assert_eq!(disk.create("a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    disk.rename("a", "b").unwrap();
    assert_eq!(disk.names().unwrap(), ["b"]);
    let mut bytes = [1; 8];
    assert_eq!(disk.open("b", Access::Read).unwrap().read_at(0, &mut bytes).unwrap(), 6);
    assert_eq!(bytes, *b"\0\0\0xyz\x01\x01");
    assert!(disk.open("b", Access::Read).unwrap().write_at(0, b"x").is_err());
    assert_eq!(disk.open("b", Access::Write).unwrap().write_at(0, b"x").unwrap(), 1);
    disk.remove("b").unwrap();
    assert_eq!(disk.names().unwrap(), Vec::<String>::new());
    assert_eq!(disk.open("b", Access::Read).unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// What the lock file says is for people; anybody may have written it.
#[test]
fn who_holds_the_lock_is_said_as_far_as_it_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::create(dir.path()).unwrap();
    let lock = disk.lock().unwrap();
    let holder = || match disk.lock() {
        Err(LockError::Held { holder }) => holder,
        other => panic!("{other:?}"),
    };
    let own = format!("this process ({})", std::process::id());
    assert!(holder().starts_with(&own), "{}", holder());
    let file = dir.path().join("annals.lock");
    // No process has this id: Linux allows 2^22, macOS 99,999.
    fs::write(&file, "4000000000\n").unwrap();
    assert_eq!(holder(), "process 4000000000");
    for unknown in ["", "nobody", "4000000000000"] {
        fs::write(&file, unknown).unwrap();
        assert_eq!(holder(), "another process");
    }
    drop(lock);
    drop(disk.lock().unwrap());
}

/// Events are their owner's alone, unless the owner says otherwise.
#[test]
fn files_are_for_their_owner() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::create(dir.path()).unwrap();
    drop(disk.create("a").unwrap());
    let mode = fs::metadata(dir.path().join("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

//! What is no log is refused with exit code 2 and a message that says what to do; nothing hangs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use common::{closed_store, dump, segment_files, verify};

const COMMANDS: [&str; 5] = ["segments", "frames", "events", "streams", "verify"];

fn refused(path: &Path, expected: &str) {
    for command in COMMANDS {
        let output = dump(&[command], path);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert_eq!(output.stdout, b"");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("log-dump: "), "{told}");
        assert!(told.contains(expected), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let what_to_do = "give the directory that the store was opened in";
    refused(dir.path(), what_to_do);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made there");
    refused(&dir.path().join("missing"), what_to_do);
    assert!(!dir.path().join("missing").exists());
    let file = dir.path().join("letter.txt");
    fs::write(&file, "Dear").unwrap();
    refused(&file, "give the directory that the file is in");
    refused(dir.path(), what_to_do);
}

#[test]
fn a_prepared_log_without_a_segment_is_no_log_yet() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("00000000000000000001.seg.prepared"), [0; 99]).unwrap();
    fs::write(dir.path().join("annals.lock"), "1").unwrap();
    refused(dir.path(), "holds no log");
}

#[test]
fn wrong_arguments_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    for arguments in [
        &["events", "--from", "x"][..],
        &["events", "--limit", "-1"],
        &["events", "--unknown"],
        &["verify", "--json"],
        &["destroy"],
    ] {
        let output = dump(arguments, dir.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
    }
    let bare = Command::new(env!("CARGO_BIN_EXE_log-dump")).output().unwrap();
    assert_eq!(bare.status.code(), Some(2));
    let help = Command::new(env!("CARGO_BIN_EXE_log-dump")).arg("--help").output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Exit codes"));
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// `log-dump`, run by somebody whom permissions bind: root becomes nobody, and gets a copy of the
/// program where everybody can run it.
fn dump_as_another(programs: &Path) -> Command {
    mode(programs, 0o755);
    let program = programs.join("log-dump");
    fs::copy(env!("CARGO_BIN_EXE_log-dump"), &program).unwrap();
    mode(&program, 0o755);
    let mut command = Command::new(program);
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        command.uid(65534).gid(65534);
    }
    command
}

#[test]
fn what_may_not_be_read_is_refused() {
    let (dir, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed_store(dir.path());
    mode(dir.path(), 0o755);
    let files: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    for file in &files {
        mode(file, 0o444);
    }
    let mut verify = dump_as_another(programs.path());
    verify.arg("verify").arg(dir.path());
    assert_eq!(verify.output().unwrap().status.code(), Some(0), "it may be read");
    let file = &segment_files(dir.path())[1];
    mode(file, 0o0);
    let output = verify.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(file.to_str().unwrap()), "{told}");
    assert!(told.contains("run log-dump as a user who may read the store's files"), "{told}");
    mode(file, 0o444);
    let mut repair = dump_as_another(programs.path());
    let output = repair.args(["repair", "--write"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("run log-dump as the user who owns the store"), "{told}");
}

#[test]
fn an_output_that_is_full_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    for command in COMMANDS {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut dump = Command::new(env!("CARGO_BIN_EXE_log-dump"));
        let output = dump.arg(command).arg(dir.path()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("cannot write the output: No space left"), "{told}");
    }
}

#[test]
fn what_is_no_file_is_damage_and_nothing_hangs() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let image = dir.path().join("00000000000000000001.idx");
    fs::remove_file(&image).unwrap_or_default();
    make_fifo(&image);
    let (text, code) = verify(dir.path());
    assert_eq!(code, 0, "an image is only a help: {text}");
    assert!(text.contains("note: 00000000000000000001.idx is not used"), "{text}");
    let second = segment_files(dir.path())[1].clone();
    fs::remove_file(&second).unwrap();
    make_fifo(&second);
    let (text, code) = verify(dir.path());
    assert_eq!(code, 1);
    assert!(text.contains(&format!("{} is not a regular file", second.display())), "{text}");
    fs::remove_file(&second).unwrap();
    fs::create_dir(&second).unwrap();
    let (text, code) = verify(dir.path());
    assert_eq!(code, 1);
    assert!(text.contains(&format!("{} is not a regular file", second.display())), "{text}");
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

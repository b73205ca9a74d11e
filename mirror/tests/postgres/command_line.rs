//! `annals-mirror`, and what these tests say where there is no Postgres.

use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use annals::{Annals, Position};
use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::{mirroring::fill, server::Server};

/// A log of a few hundred events, closed.
fn log(directory: &Path) -> Position {
    let annals = Annals::open(directory).unwrap();
    fill(&annals, 10, 300);
    let end = annals.position();
    annals.close().unwrap();
    end
}

fn mirror(server: &Server, schema: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals-mirror"));
    command.args(arguments).args(["--schema", schema]);
    command.env("DATABASE_URL", server.connection("owner"));
    command
}

pub(crate) fn the_command_line_mirrors_and_verifies(server: &Server) {
    let directory = tempfile::tempdir().unwrap();
    let end = log(directory.path());
    let run = |arguments: &[&str]| {
        let Output { status, stdout, stderr } =
            mirror(server, "by_hand", arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    };
    let path = directory.path().to_str().unwrap();
    let (code, _, error) = run(&["run", path]);
    assert!(code == 2 && error.contains("annals-mirror init"), "{error}");
    let (code, _, error) = run(&["run", "/nowhere/at/all"]);
    assert!(code == 2 && error.contains("holds no log"), "{error}");
    assert_eq!(run(&["init", path]).0, 0);
    let done = (0, format!("the mirror is at position {end}\n"), String::new());
    assert_eq!(run(&["run", path]), done);
    assert_eq!(run(&["run", path]), done, "again");
    assert_eq!(run(&["views"]).1, "views of 1 event types\n");
    let (code, out, _) = run(&["verify", path]);
    assert!(code == 0 && out.contains("are the same"), "{out}");
    server.sql(
        "ALTER TABLE by_hand.events DISABLE TRIGGER ALL;
         UPDATE by_hand.events SET payload = 'x' WHERE position = 7",
    );
    let (code, out, _) = run(&["verify", path]);
    assert_eq!(
        (code, out.as_str()),
        (1, "log and mirror differ: the event at position 7 differs in payload\n")
    );
}

/// A terminal, and the end at which its user sits.
fn terminal() -> (OwnedFd, File) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let name = ptsname(&user, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    (rustix::fs::open(name, flags, Mode::empty()).unwrap(), File::from(user))
}

/// On a terminal a bar shows how far it is; whoever reads the output sees nothing of it.
pub(crate) fn a_terminal_sees_how_far_it_is(server: &Server) {
    let directory = tempfile::tempdir().unwrap();
    let end = log(directory.path());
    let path = directory.path().to_str().unwrap();
    assert!(mirror(server, "watched", &["init", path]).status().unwrap().success());
    for (arguments, said) in [
        (["run", path], format!("the mirror is at position {end}\n")),
        (
            ["verify", path],
            format!("log and mirror are the same up to position {end}; the log ends at {end}\n"),
        ),
    ] {
        let (terminal, mut user) = terminal();
        let mut command = mirror(server, "watched", &arguments);
        command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(terminal);
        let child = command.spawn().unwrap();
        // Its own handle of the terminal, without which reading would not end.
        drop(command);
        let seen = thread::spawn(move || {
            let mut seen = Vec::new();
            // At the end Linux says that there is no terminal any more.
            drop(user.read_to_end(&mut seen));
            String::from_utf8_lossy(&seen).into_owned()
        });
        let Output { status, stdout, .. } = child.wait_with_output().unwrap();
        let seen = seen.join().unwrap();
        assert!(status.success(), "{seen}");
        assert_eq!(String::from_utf8(stdout).unwrap(), said);
        assert!(seen.contains(&format!(" of {end} events")), "{arguments:?}: {seen:?}");
    }
}

/// Where there is no Postgres, nothing is run and nothing looks as if it were; unless it is required.
pub(crate) fn without_postgres_it_is_said_that_nothing_was_run(_: &Server) {
    let run = |is_required: bool| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("PATH", "/nowhere").env("ANNALS_POSTGRES_VERSIONS", "/nowhere");
        command.env_remove("ANNALS_REQUIRE_POSTGRES");
        if is_required {
            command.env("ANNALS_REQUIRE_POSTGRES", "1");
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.success(), text(stdout), text(stderr))
    };
    let how = "install it with: apt-get install postgresql";
    let (is_good, out, _) = run(false);
    assert!(is_good && out.contains(&format!("not run: no Postgres found; {how}")), "{out}");
    assert!(out.contains("test result: ok. 0 passed; 0 failed; "), "{out}");
    let (is_good, out, error) = run(true);
    assert!(!is_good && !out.contains("test result"), "{out}");
    assert!(error.contains(&format!("ANNALS_REQUIRE_POSTGRES is set; {how}")), "{error}");
}

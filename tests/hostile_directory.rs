//! Directories in which somebody put other things than files where the store has its files, which
//! belong to somebody else, or which lie on a medium that cannot be written. Opening ends with an
//! error that says what is where, or with the whole log; it never hangs, follows a link, or
//! changes what it refuses. So does looking with `log-dump`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        net::UnixListener,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use annals::{Annals, Append, AppendError, LogQuery, NewEvent, OpenError, Options, StreamId};
use annals_tools::{Console, LogDirectory, verify};

const EVENTS: u64 = 32;

fn options() -> Options {
    Options::new().segment_bytes(8 << 10)
}

/// Writes a closed log with images; the names of its segments.
fn write_log(path: &Path) -> Vec<String> {
    let store = options().open(path).unwrap();
    for _ in 0..EVENTS {
        let event = NewEvent::new(StreamId::new("a").unwrap(), "Happened", vec![7; 700]).unwrap();
        store.append(&Append::new().event(event)).wait().unwrap();
    }
    store.close().unwrap();
    let names = fs::read_dir(path).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with("seg")).collect();
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    names
}

/// What is in a directory but the lock, by kind and content; nothing is followed or waited for.
fn contents(path: &Path) -> BTreeMap<PathBuf, (fs::FileType, Vec<u8>)> {
    let entry_of = |entry: fs::DirEntry| {
        let kind = entry.file_type().unwrap();
        let bytes = if kind.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        (entry.path(), (kind, bytes))
    };
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.file_name() != "annals.lock").map(entry_of).collect()
}

/// Runs something that must end.
fn ends<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(run()));
    // Far more than it takes on the slowest machine: this is no measurement.
    receive.recv_timeout(Duration::from_mins(5)).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Opens the store and looks into it with `log-dump verify`; what both said.
fn open_and_verify(path: &Path) -> (Result<Annals, OpenError>, String) {
    let said = match LogDirectory::open(path) {
        Err(error) => format!("error: {error}"),
        Ok(log) => {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let outcome = verify(&log, &mut Console { out: &mut out, err: &mut err });
            let outcome = match outcome {
                Ok(outcome) => format!("{outcome:?}"),
                Err(error) => format!("error: {error}"),
            };
            format!("{outcome}\n{}", String::from_utf8(out).unwrap())
        }
    };
    (options().open(path), said)
}

/// What a name is to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It must be a file.
    Needed,
    /// It is made, or removed, when the log is opened.
    InTheMaking,
    /// The log is complete without it.
    Needless,
}

/// What can stand where a file should.
const THINGS: [&str; 9] = [
    "a link to what was there",
    "a link to nothing",
    "a link to itself",
    "a link to a device without end",
    "a link to a directory",
    "an empty directory",
    "a directory with something in it",
    "a FIFO",
    "a socket",
];

fn put(thing: &str, path: &Path, aside: &Path) {
    match thing {
        "a link to what was there" => symlink(aside, path).unwrap(),
        "a link to nothing" => symlink("/nothing/is/here", path).unwrap(),
        "a link to itself" => symlink(path, path).unwrap(),
        "a link to a device without end" => symlink("/dev/zero", path).unwrap(),
        "a link to a directory" => symlink("/", path).unwrap(),
        "an empty directory" => fs::create_dir(path).unwrap(),
        "a directory with something in it" => fs::create_dir_all(path.join("something")).unwrap(),
        "a FIFO" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "a socket" => drop(UnixListener::bind(path).unwrap()),
        _ => panic!("{thing}"),
    }
}

/// G16 (refusals are typed): whatever stands where a segment, an image, the lock or a file in the
/// making should be, opening ends, with an error that names it or with every event; what it was
/// led to is left alone.
#[test]
fn other_things_than_files_are_refused_or_made_anew() {
    let original = tempfile::tempdir().unwrap();
    let segments = write_log(original.path());
    let last = segments.last().unwrap();
    let image = |segment: &str| segment.replace(".seg", ".idx");
    let places = [
        (segments[0].clone(), Role::Needed),
        (segments[2].clone(), Role::Needed),
        (last.clone(), Role::Needed),
        ("annals.lock".to_owned(), Role::Needed),
        (image(&segments[0]), Role::Needless),
        (image(last), Role::Needless),
        (format!("{last}.moved"), Role::Needless),
        ("00000000000000099999.seg".to_owned(), Role::Needed),
        ("00000000000000000001.prepared".to_owned(), Role::InTheMaking),
        (format!("{}.tmp", image(last)), Role::InTheMaking),
        ("not of the log".to_owned(), Role::Needless),
    ];
    let (mut refused, mut opened) = (0, 0);
    for (name, role) in places {
        for thing in THINGS {
            let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            for file in original.path().read_dir().unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            }
            let (path, aside) = (dir.path().join(&name), other.path().join("aside"));
            match fs::rename(&path, &aside) {
                Ok(()) => {}
                Err(_) => fs::write(&aside, "something else").unwrap(),
            }
            let target = fs::read(&aside).unwrap();
            put(thing, &path, &aside);
            let before = contents(dir.path());
            let at = format!("{thing} named {name}");
            let root = dir.path().to_owned();
            let (result, said) = ends(&at, move || open_and_verify(&root));
            match result {
                Err(error) => {
                    assert!(role != Role::Needless, "{at}: {error}");
                    assert!(matches!(error, OpenError::Io { .. }), "{at}: {error}");
                    let (text, file) =
                        (error.to_string(), if name == "annals.lock" { "" } else { &name });
                    assert!(
                        text.contains("cannot ")
                            && text.contains(dir.path().join(file).to_str().unwrap()),
                        "{at}: {text}"
                    );
                    let is_looked_at = role == Role::Needed && name != "annals.lock";
                    assert!(!is_looked_at || !said.starts_with("Sound"), "{at}: {said}");
                    assert!(contents(dir.path()) == before, "changed: {at}");
                    refused += 1;
                }
                Ok(store) => {
                    assert!(role != Role::Needed, "{at}: it was opened");
                    let events = store.read_all(LogQuery::forward());
                    assert_eq!(u64::try_from(events.flatten().count()), Ok(EVENTS), "{at}");
                    store.close().unwrap();
                    opened += 1;
                }
            }
            assert_eq!(fs::read(&aside).unwrap(), target, "followed: {at}");
        }
    }
    println!("{refused} refused, {opened} opened with every event");
    assert!(refused >= 5 * THINGS.len() && opened >= 5 * THINGS.len());
}

/// A file that has two names is a file.
#[test]
fn a_hard_link_is_a_file() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = write_log(dir.path());
    for name in &names {
        fs::hard_link(dir.path().join(name), other.path().join(name)).unwrap();
    }
    let (store, said) = open_and_verify(dir.path());
    assert_eq!(store.unwrap().position().get(), EVENTS, "{said}");
}

const CHILD: &str = "ANNALS_HOSTILE_DIRECTORY";

/// Not a test by itself: opens a directory as whoever runs it, and says what came of it.
#[test]
fn child_that_opens_a_directory() {
    let Some(path) = env::var_os(CHILD) else { return };
    let (opened, said) = open_and_verify(Path::new(&path));
    let opened = match opened {
        Ok(store) => format!("opened at {}", store.position().get()),
        Err(OpenError::Io { source, action, file }) => {
            let error = OpenError::Io { source: source.kind().into(), action, file };
            format!("refused: {error}")
        }
        Err(error) => format!("refused otherwise: {error}"),
    };
    println!("\nCHILD {opened}\nCHILD {}", said.lines().next().unwrap());
}

/// What the child said: of opening, and of verifying.
fn said_by(mut command: Command, path: &Path) -> (String, String) {
    command.args(["--exact", "child_that_opens_a_directory", "--nocapture"]);
    let output = ends("the child", {
        command.env(CHILD, path);
        move || command.output().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    let mut said = text.lines().filter_map(|line| line.strip_prefix("CHILD "));
    let (Some(opened), Some(verified)) = (said.next(), said.next()) else {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    };
    (opened.to_owned(), verified.to_owned())
}

/// This program, where everybody can run it.
fn program(dir: &Path) -> PathBuf {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.join("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Somebody who owns nothing.
const NOBODY: u32 = 65534;

/// Runs the child as somebody whom permissions bind: root becomes nobody.
fn as_another(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Says to people, past what collects the output of tests, that one of them was not run.
fn tell(why: &str) {
    io::stderr().write_all(format!("\nnot run: {why}\n").as_bytes()).unwrap();
}

/// The same of what needs root. Where `ANNALS_REQUIRE_ROOT` is set, that is a failure.
fn not_run(why: &str) {
    tell(why);
    assert!(env::var_os("ANNALS_REQUIRE_ROOT").is_none(), "not run: {why}");
}

/// G16 (refusals are typed): what belongs to somebody else, or denies its owner, is an error that
/// names it; `log-dump` looks into what may be read; and with the permissions back nothing is
/// missing.
#[test]
fn files_of_another_owner_are_refused() {
    let (dir, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = program(programs.path());
    let root = dir.path().join("log");
    let names = write_log(&root);
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(dir.path(), 0o755);
    let files: Vec<PathBuf> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    let reset = || {
        mode(&root, 0o755);
        for file in &files {
            mode(file, 0o444);
        }
    };
    reset();
    let before = contents(&root);
    // What is taken away, from what, what verifying says.
    let last = names.last().unwrap().as_str();
    let cases = [
        ("", 0o000, "error: cannot open"),
        ("", 0o555, "Sound"),
        ("annals.lock", 0o444, "Sound"),
        ("annals.lock", 0o000, "Sound"),
        (names[0].as_str(), 0o000, "error: cannot open"),
        (last, 0o000, "error: cannot open"),
        (last, 0o444, "Sound"),
    ];
    for (name, bits, verified) in cases {
        reset();
        if name == names[0] || name == last {
            // Otherwise the lock would be what cannot be opened.
            mode(&root.join("annals.lock"), 0o666);
        }
        mode(&root.join(name), bits);
        let (opened, said) = said_by(as_another(&program), &root);
        let at = format!("{name:?} with {bits:o}: {opened}; {said}");
        assert!(opened.starts_with("refused: cannot "), "{at}");
        assert!(opened.contains("permission denied"), "{at}");
        assert!(
            opened.contains(if name.ends_with("seg") { name } else { root.to_str().unwrap() }),
            "{at}"
        );
        assert!(said.starts_with(verified), "{at}");
        reset();
        assert!(contents(&root) == before, "changed: {at}");
    }
    for file in &files {
        mode(file, 0o644);
    }
    assert_eq!(options().open(&root).unwrap().position().get(), EVENTS);
}

/// G16 (refusals are typed): access rights decide, and owners do not: what belongs to somebody else
/// and may be read and written is opened and written like one's own, also by root; and what may
/// not, is refused.
#[test]
fn access_rights_decide_and_owners_do_not() {
    if !is_root() {
        return not_run("only root can give files to somebody else");
    }
    let (dir, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (program, root) = (program(programs.path()), dir.path().join("log"));
    let names = write_log(&root);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let files = || fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let give = |path: &Path, owner, mode| {
        chown(path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    give(&root, NOBODY, 0o700);
    files().for_each(|file| give(&file, NOBODY, 0o600));
    let whole = format!("opened at {EVENTS}");
    // One file of a third person's, then all, and the directory.
    let (last, third) = (root.join(names.last().unwrap()), 12345);
    give(&last, third, 0o644);
    let (opened, said) = said_by(as_another(&program), &root);
    assert!(opened.starts_with("refused: cannot ") && opened.contains("permission denied"));
    assert!(opened.contains(last.to_str().unwrap()) && said.starts_with("Sound"), "{opened}");
    give(&last, third, 0o666);
    assert_eq!(said_by(as_another(&program), &root).0, whole);
    give(&root, third, 0o777);
    files().for_each(|file| give(&file, third, 0o666));
    let (opened, said) = said_by(as_another(&program), &root);
    assert!(opened == whole && said.starts_with("Sound"), "{opened}; {said}");
    // Root may do everything. What it makes is its own, and in the owner's way.
    give(&root, NOBODY, 0o700);
    files().for_each(|file| give(&file, NOBODY, 0o600));
    let store = options().open(&root).unwrap();
    let event = NewEvent::new(StreamId::new("a").unwrap(), "Happened", vec![7; 700]).unwrap();
    let append = |store: &Annals| {
        store.append(&Append::new().event(event.clone())).wait().unwrap();
    };
    append(&store);
    store.close().unwrap();
    assert_eq!(said_by(as_another(&program), &root).0, format!("opened at {}", EVENTS + 1));
    let store = options().open(&root).unwrap();
    (0..10).for_each(|_| append(&store));
    store.close().unwrap();
    let (opened, _) = said_by(as_another(&program), &root);
    assert!(opened.starts_with("refused: cannot ") && opened.contains(".seg"), "{opened}");
    files().for_each(|file| give(&file, NOBODY, 0o600));
    assert_eq!(said_by(as_another(&program), &root).0, format!("opened at {}", EVENTS + 11));
    // Where nobody may look up what the working directory is called, its names are made all the same.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    if Command::new("setpriv").arg("--version").output().is_err() {
        return not_run("there is no `setpriv`, of util-linux");
    }
    let mut inside = Command::new("setpriv");
    let nobody = format!("{NOBODY}");
    inside.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]).arg(&program);
    inside.current_dir(&root);
    assert_eq!(said_by(inside, Path::new("made/there")).0, "opened at 0");
    assert!(root.join("made/there/annals.lock").is_file());
}

/// G16 (a directory of one's own): what Annals makes, directories and files, is its owner's alone;
/// what was there stays as it was.
#[test]
fn what_is_made_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (above, root) = (dir.path().join("above"), dir.path().join("above/log"));
    write_log(&root);
    assert_eq!([dir.path(), &above, &root].map(mode), [0o755, 0o700, 0o700]);
    for file in fs::read_dir(&root).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// What `chattr` made immutable, until it is dropped.
struct Immutable<'a>(&'a Path);

impl<'a> Immutable<'a> {
    /// `None`: the file system or the system does not know that.
    fn make(path: &'a Path) -> Option<Self> {
        let output = Command::new("chattr").arg("+i").arg(path).output();
        output.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        assert!(Command::new("chattr").arg("-i").arg(self.0).status().unwrap().success());
    }
}

/// G16 (refusals are typed): what not even root can change is refused by name, and `log-dump` looks
/// into it. A segment that others follow is only read, and may be immutable; where nothing can be
/// made, a closed log goes on in the room that it has.
#[test]
fn what_is_immutable_is_refused_and_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let names = write_log(dir.path());
    let before = contents(dir.path());
    for name in ["annals.lock", names.last().unwrap()] {
        let path = dir.path().join(name);
        let Some(immutable) = Immutable::make(&path) else {
            // Also for root: not every file system knows that.
            return tell("`chattr +i` does not work here");
        };
        let (opened, said) = open_and_verify(dir.path());
        drop(immutable);
        let Err(error) = opened else { panic!("{name} was opened") };
        let OpenError::Io { source, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied, "{name}: {error}");
        let place = if name == "annals.lock" { dir.path() } else { &path };
        assert!(error.to_string().contains(place.to_str().unwrap()), "{name}: {error}");
        assert!(said.starts_with("Sound"), "{name}: {said}");
        assert!(contents(dir.path()) == before, "changed: {name}");
    }
    let (sealed, directory) = (dir.path().join(&names[0]), dir.path());
    let _immutable = [&sealed, directory].map(|path| Immutable::make(path).unwrap());
    let (opened, said) = open_and_verify(directory);
    let store = opened.unwrap();
    assert_eq!(store.position().get(), EVENTS, "{said}");
    let event = NewEvent::new(StreamId::new("a").unwrap(), "Happened", vec![7; 700]).unwrap();
    let refused = loop {
        if let Err(error) = store.append(&Append::new().event(event.clone())).wait() {
            break error;
        }
    };
    assert!(matches!(refused, AppendError::NoRoom(_)), "{refused}");
    assert!(store.position().get() > EVENTS && store.stats().poisoned.is_none(), "{refused}");
}

/// G16 (refusals are typed): on a medium that cannot be written, opening says so and `log-dump`
/// looks.
#[test]
fn a_read_only_medium_is_refused_and_looked_into() {
    let (dir, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (program, root) = (program(programs.path()), dir.path().join("log"));
    write_log(&root);
    let before = contents(&root);
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(if is_root() { &["-m"][..] } else { &["-r", "-m"] });
        command.args(["sh", "-c", script, "sh"]).arg(&root);
        command
    };
    let can_mount = unshare().arg("true").output().is_ok_and(|output| output.status.success());
    if !can_mount {
        return not_run("nobody may mount here");
    }
    let mut command = unshare();
    command.arg(&program);
    let (opened, said) = said_by(command, &root);
    assert!(
        opened.starts_with("refused: cannot ") && opened.contains("read-only filesystem"),
        "{opened}"
    );
    assert!(
        opened.contains(root.to_str().unwrap()) && opened.contains("that can be written to"),
        "{opened}"
    );
    assert!(said.starts_with("Sound"), "{said}");
    assert!(contents(&root) == before);
}

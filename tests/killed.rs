//! Processes that end in the middle of anything: killed while they open a store or append to it,
//! aborted at any allocation, out of room for a file, racing for the lock.
//!
//! The process that ends is this test program, started again with a directory in its environment.
//! Before it goes on it tells of each acknowledgement through a pipe, so that the one that is left
//! knows what must be there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unsafe_code,
    missing_docs,
    reason = "a test"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use annals::{
    Annals, Append, AppendError, LogQuery, NewEvent, OpenError, Options, StreamId, StreamQuery,
    SyncPolicy,
};
use tempfile::TempDir;

/// What the child is to do, and where.
const ROLE: &str = "ANNALS_TEST_ROLE";
const DIRECTORY: &str = "ANNALS_TEST_DIRECTORY";
const POLICY: &str = "ANNALS_TEST_POLICY";
const ALLOCATIONS: &str = "ANNALS_TEST_ALLOCATIONS";

const POLICIES: [(&str, SyncPolicy); 3] = [
    ("always", SyncPolicy::Always),
    ("interval", SyncPolicy::Interval(Duration::from_millis(1))),
    ("never", SyncPolicy::Never),
];

/// Threads of the child that append.
const APPENDERS: u64 = 2;

fn small() -> Options {
    Options::new().segment_bytes(8 << 10)
}

/// A directory in memory, where there is one: what a process leaves behind does not depend on the
/// disk.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    tempfile::tempdir_in(place).unwrap()
}

// The child.

/// Not a test: what the other tests start.
#[test]
fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    let directory = env::var_os(DIRECTORY).unwrap();
    let directory = Path::new(&directory);
    match role.as_str() {
        "append" => append_for_ever(directory, u64::MAX),
        "allocate" => append_until_memory_ends(directory),
        "open" => open_again_and_again(directory),
        "grow" => append_until_files_are_too_large(directory),
        other => unreachable!("{other}"),
    }
}

/// Tells the parent, in one write, which a pipe keeps whole.
fn tell(who: u64, number: u64) {
    io::stderr().write_all(format!("\n#{who} {number}\n").as_bytes()).unwrap();
}

fn own(appender: u64) -> StreamId {
    StreamId::new(&format!("own-{appender}")).unwrap()
}

fn all() -> StreamId {
    StreamId::new("all").unwrap()
}

/// Tells that it begins to open, appends and tells of it: who appended which, counted from 1.
fn append_for_ever(directory: &Path, count: u64) {
    let policy = env::var(POLICY).unwrap();
    let policy = POLICIES.iter().find(|(name, _)| *name == policy).unwrap().1;
    tell(0, 0);
    let store = small().sync_policy(policy).open(directory).unwrap();
    let append = |appender: u64| {
        for _ in 0..count {
            let number = store.stream_version(&own(appender)).get() + 1;
            let payload = [appender.to_le_bytes(), number.to_le_bytes()].concat();
            let event = |stream, len| {
                let mut payload = payload.clone();
                payload.resize(len, 7);
                NewEvent::new(stream, "Happened", payload).unwrap()
            };
            let len = 16 + usize::try_from(number % 300).unwrap();
            let append = Append::new().events([event(own(appender), len), event(all(), 16)]);
            let pending = store.append(&append);
            let is_async = number.is_multiple_of(3);
            if is_async { pollster::block_on(pending) } else { pending.wait() }.unwrap();
            tell(appender, number);
        }
    };
    thread::scope(|scope| {
        for appender in 1..=APPENDERS {
            let append = &append;
            scope.spawn(move || append(appender));
        }
    });
    store.close().unwrap();
}

fn append_until_memory_ends(directory: &Path) {
    let allocations = env::var(ALLOCATIONS).unwrap().parse().unwrap();
    LEFT.store(allocations, Ordering::SeqCst);
    append_for_ever(directory, 6);
    let left = LEFT.swap(u64::MAX, Ordering::SeqCst);
    if (1..u64::MAX).contains(&left) {
        // It was enough.
        tell(0, 1);
    }
}

/// Appends more and more at once. Tells when that is refused, and goes on with less.
fn append_until_files_are_too_large(directory: &Path) {
    tell(0, 0);
    let store = small().open(directory).unwrap();
    let append = |number: u64, len: usize| {
        let mut payload = [1, number].map(u64::to_le_bytes).concat();
        payload.resize(len, 7);
        let event = |stream| NewEvent::new(stream, "Happened", payload.clone()).unwrap();
        let appended = store.append(&Append::new().events([event(own(1)), event(all())])).wait();
        if appended.is_ok() {
            tell(1, number);
        }
        appended
    };
    let mut number = 0;
    let refused = loop {
        number += 1;
        if let Err(error) = append(number, 500 * usize::try_from(number).unwrap()) {
            break error;
        }
    };
    assert!(matches!(refused, AppendError::NoRoom(_)), "{refused}");
    tell(0, 1);
    for number in number..number + 3 {
        append(number, 16).unwrap();
    }
    store.close().unwrap();
}

/// Opens the store as often as it can, and while it has it, a file that must not be there. Tells
/// when it is refused for the first time, and of the refusals between its openings at the end.
fn open_again_and_again(directory: &Path) {
    let (log, witness) = (directory.join("log"), directory.join("witness"));
    let (mut opened, mut refused, mut has_told) = (0, 0, false);
    while opened < OPENINGS {
        match small().open(&log) {
            Ok(store) => {
                fs::File::create_new(&witness).expect("another process has the log open as well");
                fs::remove_file(&witness).unwrap();
                store.close().unwrap();
                opened += 1;
            }
            Err(OpenError::Locked { .. }) if !has_told => {
                tell(0, 1);
                has_told = true;
            }
            Err(OpenError::Locked { .. }) => refused += u64::from(opened > 0),
            Err(other) => unreachable!("{other}"),
        }
    }
    tell(opened, refused);
}

/// How many allocations are left before one fails.
static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// The system's allocator, which fails once.
struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

// SAFETY: every call is passed on as it is, or fails as any allocation may.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: only the count matters.
        let is_counted = LEFT.load(Ordering::Relaxed) != u64::MAX;
        if is_counted && LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
            return ptr::null_mut();
        }
        // SAFETY: the caller's word is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's word is passed on.
        unsafe { System.dealloc(memory, layout) };
    }
}

// The parent.

fn start(role: &str, directory: &Path, more: &[(&str, &str)]) -> Child {
    start_by(Command::new(env::current_exe().unwrap()), role, directory, more)
}

fn start_by(mut program: Command, role: &str, directory: &Path, more: &[(&str, &str)]) -> Child {
    program
        .args(["--exact", "child", "--nocapture"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What was acknowledged to each appender, as far as it was told; before them, what the process
/// told of itself.
type Heard = [u64; 3];

/// What a child told, word by word. A process that ends by itself says why in other words.
fn words(child: &mut Child) -> impl Iterator<Item = (u64, u64)> + use<> {
    let lines = BufReader::<ChildStderr>::new(child.stderr.take().unwrap()).lines();
    lines.filter_map(|line| {
        let line = line.unwrap();
        let Some((who, number)) = line.strip_prefix('#').and_then(|l| l.split_once(' ')) else {
            println!("{line}");
            return None;
        };
        Some((who.parse().unwrap(), number.parse().unwrap()))
    })
}

/// How a child lived.
#[derive(Debug)]
struct Life {
    heard: Heard,
    /// How many words it told.
    told: u64,
    status: ExitStatus,
}

/// Listens until the child has told so many words, then has it ended, and listens to the end.
fn listen(mut child: Child, enough: u64, end: impl FnOnce(&mut Child)) -> Life {
    let (mut heard, mut told, mut end) = (Heard::default(), 0, Some(end));
    for (who, number) in words(&mut child) {
        heard[usize::try_from(who).unwrap()] = number;
        told += 1;
        if let Some(end) = end.take_if(|_| told >= enough) {
            end(&mut child);
        }
    }
    Life { heard, told, status: child.wait().unwrap() }
}

/// Opens what is left, and holds it to what was heard. Says how many commits there are.
fn holds(directory: &Path, heard: &Heard, at: &str) -> u64 {
    let store: Annals = small().open(directory).unwrap_or_else(|error| panic!("{error}: {at}"));
    let read = |stream: &StreamId| {
        let events = store.read_stream(stream, StreamQuery::forward());
        let pair = |payload: &[u8]| {
            let (words, _) = payload.as_chunks::<8>();
            (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
        };
        events.map(|event| pair(&event.unwrap().payload)).collect::<Vec<_>>()
    };
    let in_all = read(&all());
    for (appender, heard) in (0..).zip(heard).skip(1) {
        let of_own = read(&own(appender));
        let count = u64::try_from(of_own.len()).unwrap();
        assert!(count >= *heard, "appender {appender} heard of {heard}, {count} are there: {at}");
        assert!(of_own.iter().copied().eq((1..=count).map(|number| (appender, number))), "{at}");
        let of_all = in_all.iter().filter(|(by, _)| *by == appender);
        assert!(of_all.eq(&of_own), "half a commit: {at}");
    }
    let positions = store.read_all(LogQuery::forward()).map(|event| event.unwrap().position.get());
    assert!(positions.eq(1..=2 * u64::try_from(in_all.len()).unwrap()), "{at}");
    u64::try_from(in_all.len()).unwrap()
}

/// How often a process is killed under each policy.
const KILLS: u64 = 700;

/// Kills in a row that one log lives through.
const LIVES: u64 = 35;

/// signal(7)
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGXFSZ: i32 = 25;

/// G1 (acknowledged is durable): a process that is killed while it opens a store or appends to it,
/// after any number of acknowledgements, has lost nothing that it told of, under any policy.
#[test]
fn a_killed_process_loses_nothing() {
    let jobs: Vec<(&str, u64)> = POLICIES
        .iter()
        .flat_map(|(policy, _)| (0..KILLS / LIVES).map(move |log| (*policy, log)))
        .collect();
    let (next, kills, commits) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while let Some((policy, log)) =
            jobs.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap())
        {
            let directory = directory();
            let mut there = 0;
            for life in 0..LIVES {
                // Often while it opens, sometimes after many.
                let words = 1 + (life * life + log) % 40;
                let child = start("append", directory.path(), &[(POLICY, policy)]);
                let Life { heard, told, status } =
                    listen(child, words, |child| child.kill().unwrap());
                let at = format!("{policy}, log {log}, life {life}, killed after {words} words");
                assert_eq!(status.signal(), Some(SIGKILL), "it was not killed: {status}: {at}");
                assert!(told >= words, "it told only {told} words: {at}");
                let before = there;
                there = holds(directory.path(), &heard, &at);
                // But for the first, each word is of one more commit.
                assert!(there >= before + told - 1, "{told} words, {before} to {there}: {at}");
                kills.fetch_add(1, Ordering::Relaxed);
            }
            commits.fetch_add(there, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let (kills, commits) = (kills.into_inner(), commits.into_inner());
    println!("{kills} kills, {commits} commits");
    assert_eq!(kills, 3 * KILLS);
    // What the processes were waited for makes 17 each.
    assert!(commits >= 17 * kills, "{commits} commits");
}

/// G1 (acknowledged is durable): a process that has no memory left, at whichever allocation,
/// ends or goes on, and has lost nothing that it told of.
#[test]
fn a_process_that_runs_out_of_memory_loses_nothing() {
    let mut aborted = 0;
    for (policy, _) in &POLICIES[..2] {
        let mut directory = directory();
        for allocation in 1_u64.. {
            // Some find an old log, some begin one.
            if allocation.is_multiple_of(10) {
                directory = self::directory();
            }
            let number = allocation.to_string();
            let more = [(POLICY, *policy), (ALLOCATIONS, number.as_str())];
            let child = start("allocate", directory.path(), &more);
            let Life { heard, told, status } = listen(child, u64::MAX, |_| {});
            let at = format!("{policy}, allocation {allocation}");
            holds(directory.path(), &heard, &at);
            if status.success() {
                let everything = 1 + 6 * APPENDERS + heard[0];
                assert_eq!(told, everything, "{heard:?}: {at}");
            } else {
                // Most allocations abort; a thread that cannot be started is an error, and a panic.
                let is_meant = status.signal() == Some(SIGABRT) || status.code() == Some(101);
                assert!(is_meant, "{status}: {at}");
                aborted += 1;
            }
            if heard[0] > 0 {
                assert!(status.success());
                break;
            }
        }
    }
    println!("{aborted} processes without memory");
    assert!(aborted > 100);
}

/// G1, G5 (acknowledged is durable; no room refuses): where the system limits the size of files, it
/// ends a process that would make a larger one; one that ignores the signal goes on as on a full
/// disk. Neither loses anything.
#[test]
fn a_process_that_makes_too_large_a_file_loses_nothing() {
    for (ignore, is_ended) in [("", true), ("trap '' XFSZ; ", false)] {
        let directory = directory();
        let mut program = Command::new("sh");
        // Four segments: what does not fit into one gets one of its own.
        let script = format!("{ignore}ulimit -c 0; ulimit -f 64 && exec \"$0\" \"$@\"");
        program.args(["-c", &script]).arg(env::current_exe().unwrap());
        let child = start_by(program, "grow", directory.path(), &[]);
        let Life { heard, told, status } = listen(child, u64::MAX, |_| {});
        let at = format!("{ignore:?}: {status}, {heard:?}");
        assert_eq!(status.signal(), is_ended.then_some(SIGXFSZ), "{at}");
        assert_eq!(status.success(), !is_ended, "{at}");
        assert_eq!(heard[0], u64::from(!is_ended), "{at}");
        assert!(heard[1] > 20 && told == 1 + heard[1] + heard[0], "{told} words: {at}");
        assert_eq!(holds(directory.path(), &heard, &at), heard[1], "{at}");
    }
}

/// How often each of two processes opens the same log.
const OPENINGS: u64 = 5_000;

/// G15 (one writer): of two processes that open the same log again and again, one has it at a
/// time. Both begin while a third has it, so that none is done before the other is there.
#[test]
fn of_two_processes_that_race_for_the_lock_one_has_it() {
    let directory = directory();
    let store = small().open(directory.path().join("log")).unwrap();
    let mut children = [0, 1].map(|_| start("open", directory.path(), &[]));
    let mut told = children.each_mut().map(words);
    for told in &mut told {
        assert_eq!(told.next(), Some((0, 1)), "it was not refused while the log was open");
    }
    store.close().unwrap();
    let mut refusals = 0;
    for (mut child, told) in children.into_iter().zip(told) {
        let told: Vec<_> = told.collect();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
        let [(opened, refused)] = told[..] else { panic!("{told:?}") };
        println!("{opened} openings and {refused} refusals between them");
        assert_eq!(opened, OPENINGS);
        refusals += refused;
    }
    assert!(refusals > 0, "they never met");
}

/// G15 (one writer): a process that is being started has the files of the one that starts it until
/// its program begins. A store that was closed meanwhile can be opened at once: it once stayed
/// locked, by nobody that anyone could name.
#[test]
fn a_process_that_is_being_started_holds_no_lock() {
    let directory = directory();
    let store = small().open(directory.path()).unwrap();
    let (mut is_begun, begun) = io::pipe().unwrap();
    let (go, is_to_go) = io::pipe().unwrap();
    let mut command = Command::new("true");
    let wait = move || {
        (&begun).write_all(&[1])?;
        (&go).read_exact(&mut [0])
    };
    // SAFETY: it reads and writes pipes, and nothing else.
    unsafe { command.pre_exec(wait) };
    thread::scope(|scope| {
        let started = scope.spawn(move || command.status().unwrap());
        is_begun.read_exact(&mut [0]).unwrap();
        store.close().unwrap();
        let opened = small().open(directory.path());
        (&is_to_go).write_all(&[1]).unwrap();
        assert!(started.join().unwrap().success());
        opened.unwrap_or_else(|error| panic!("{error}")).close().unwrap();
    });
}

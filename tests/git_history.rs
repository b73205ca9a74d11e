//! The example `git_history` on repositories made for it: what it writes, what it prints, how it
//! ends. This needs `git`, and the example beside it, where `cargo test` builds it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::{
    env,
    ffi::OsStr,
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use annals::{Annals, Append, LogQuery, NewEvent, StreamId, StreamQuery, limits};
use serde_json::{Value, json};

const SUBMODULE: &str = "0123456789012345678901234567890123456789";

/// A directory with a repository, a log, and nothing that is the user's.
struct Scratch {
    home: tempfile::TempDir,
    commits: u32,
}

/// How the program ended.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Scratch {
    fn new() -> Self {
        let scratch = Self { home: tempfile::tempdir().unwrap(), commits: 0 };
        fs::write(scratch.path("config"), "").unwrap();
        let options = ["--quiet", "--bare", "--initial-branch=main", "--object-format=sha1"];
        scratch.git(&[&["init"], &options[..], &["repository"]].concat());
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program that sees nothing of the user's git.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let is_of_git = |name: &OsStr| name.to_string_lossy().starts_with("GIT_");
        for (name, _) in env::vars_os().filter(|(name, _)| is_of_git(name)) {
            command.env_remove(name);
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", self.path("config"));
        // One of the tests breaks a reference by hand.
        command.env("GIT_DEFAULT_REF_FORMAT", "files");
        command.env("GIT_CEILING_DIRECTORIES", self.home.path()).current_dir(self.home.path());
        command
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&mut self, changes: &str) {
        self.commit_of(b"Ada <ada@example.org>", "main", changes);
    }

    /// A commit on a branch; the changes are commands of `git fast-import`.
    fn commit_of(&mut self, author: &[u8], branch: &str, changes: &str) {
        self.commits += 1;
        let time = 1_700_000_000 + 60 * self.commits;
        let start = format!("commit refs/heads/{branch}\nauthor ");
        let rest = format!(" {time} +0000\ncommitter C <c@example.org> {time} +0000\n");
        let subject = format!("Change {:02}", self.commits);
        let subject = format!("data {}\n{subject}\n", subject.len());
        let is_there = !self.git(&["-C", "repository", "branch", "--list", branch]).is_empty();
        let from = if is_there { format!("from refs/heads/{branch}^0\n") } else { String::new() };
        let stream = [start.as_bytes(), author, rest.as_bytes(), subject.as_bytes()].concat();
        let stream = [&stream, from.as_bytes(), changes.as_bytes()].concat();
        let mut git = self.command("git");
        git.args(["-C", "repository", "fast-import", "--quiet"]).stdin(Stdio::piped());
        let mut child = git.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn program(&self) -> Command {
        let test = env::current_exe().unwrap();
        let examples = test.parent().unwrap().parent().unwrap().join("examples");
        let program = examples.join(format!("git_history{}", env::consts::EXE_SUFFIX));
        assert!(program.exists(), "run `cargo build --example git_history` first");
        self.command(program)
    }

    /// Runs the program on the repository and the log in `log`.
    fn run(&self) -> Run {
        run(self.program().args(["repository", "--dir", "log"]))
    }

    /// Runs it, and wants it to write so much, and git to agree to that.
    fn agrees(&self, new_commits: &str, agreement: &str) -> Run {
        let run = self.run();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.contains(new_commits), "{run:?}");
        assert!(run.out.contains(&format!("\ngit agrees: {agreement}\n")), "{run:?}");
        run
    }

    fn log(&self) -> Annals {
        Annals::open(self.path("log")).unwrap()
    }

    /// The types of a stream's events, and the last one's payload without the commit.
    fn stream(&self, name: &str) -> (String, Value) {
        let stream = StreamId::new(name).unwrap();
        let (mut types, mut payload) = (Vec::new(), Value::Null);
        for event in self.log().read_stream(&stream, StreamQuery::forward()) {
            let event = event.unwrap();
            types.push(event.event_type.to_string());
            payload = serde_json::from_slice(&event.payload).unwrap();
            payload.as_object_mut().unwrap().remove("commit").unwrap();
        }
        (types.join(" "), payload)
    }
}

fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

fn ends(run: &Run, code: i32, message: &str) {
    assert!(run.code == code && run.err.contains(message), "{code} {message:?}: {run:?}");
}

fn file(path: &str, text: &str) -> String {
    format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len())
}

fn long_text() -> String {
    "a line of text\n".repeat(50)
}

#[test]
fn every_kind_of_change_is_an_event() {
    let mut scratch = Scratch::new();
    let (text, edited) = (long_text(), long_text() + "more\n");
    scratch.commit(&[file("a", &text), file("dir/b", "b"), file("c", "c")].concat());
    scratch.commit(&[file("c", "c2"), "D dir/b\n".to_owned()].concat());
    scratch.commit(&["D a\n".to_owned(), file("d", &edited)].concat());
    scratch.commit(&file("c", "c2").replace("100644", "100755"));
    scratch.commit(&file("c", "d").replace("100644", "120000"));
    scratch.commit(&format!("M 160000 {SUBMODULE} s\n"));
    scratch.commit("D s\n");
    scratch.commit("");
    let run = scratch.agrees("8 new commits", "5 files, 1 author, 8 commits");
    assert!(run.out.contains("\n        4  FileTypeChanged  "), "{run:?}");
    assert!(run.out.contains("\n        8         11  Ada <ada@example.org>\n"), "{run:?}");
    assert!(run.out.contains("\n19 events in 6 streams; "), "{run:?}");
    assert!(run.out.ends_with(" --bin log-dump -- events log\n"), "{run:?}");

    let types = "FileAdded FileRenamedAway".to_owned();
    assert_eq!(scratch.stream("file/a"), (types, json!({"to": "d"})));
    let (types, renamed) = scratch.stream("file/d");
    assert_eq!((types.as_str(), &renamed["from"]), ("FileRenamed", &json!("a")));
    assert!(renamed["similarity"].as_u64().is_some_and(|percent| (90..100).contains(&percent)));
    assert_eq!(scratch.stream("file/dir/b"), ("FileAdded FileDeleted".to_owned(), json!({})));
    let types = "FileAdded FileModified FileModeChanged FileTypeChanged";
    assert_eq!(scratch.stream("file/c"), (types.to_owned(), json!({"mode": "120000"})));
    let types = "FileAdded FileDeleted".to_owned();
    assert_eq!(scratch.stream("file/s"), (types, json!({"submodule": SUBMODULE})));
    let (types, last) = scratch.stream("author/Ada <ada@example.org>");
    assert_eq!(types, ["Committed"; 8].join(" "));
    let time = 1_700_000_480;
    let expected = json!({"time": time, "parents": 1, "files": 0, "subject": "Change 08"});
    assert_eq!(last, expected);
}

#[test]
fn a_commit_is_one_append_and_its_author_is_last() {
    let mut scratch = Scratch::new();
    scratch.commit(&[file("b", "b"), file("a", "a")].concat());
    scratch.commit(&file("b", "c"));
    scratch.agrees("2 new commits", "2 files, 1 author, 2 commits");
    let events: Vec<_> = scratch.log().read_all(LogQuery::forward()).map(Result::unwrap).collect();
    let streams: Vec<_> = events.iter().map(|event| event.stream.as_str()).collect();
    let author = "author/Ada <ada@example.org>";
    assert_eq!(streams, ["file/a", "file/b", author, "file/b", author]);
    let times: Vec<_> = events.iter().map(|event| event.time).collect();
    assert!(times[..3].iter().all(|time| *time == times[0]), "{times:?}");
}

#[test]
fn a_merge_has_the_files_that_differ_from_its_first_parent() {
    let mut scratch = Scratch::new();
    scratch.commit(&file("a", "a"));
    let base = "from refs/heads/main^0\n";
    scratch.commit_of(b"Bob <bob@example.org>", "side", &[base, &file("side", "s")].concat());
    scratch.commit(&file("a", "b"));
    let merge = "merge refs/heads/side^0\n";
    scratch.commit(&[merge, &file("side", "s")].concat());
    // This one brings nothing: both sides did the same.
    scratch.commit_of(b"Bob <bob@example.org>", "side", &file("a", "b"));
    scratch.commit(merge);
    scratch.agrees("6 new commits", "2 files, 2 authors, 6 commits");
    assert_eq!(scratch.stream("file/side").0, "FileAdded FileAdded");
    assert_eq!(scratch.stream("file/a").0, "FileAdded FileModified FileModified");
    let (_, last) = scratch.stream("author/Ada <ada@example.org>");
    assert_eq!((&last["parents"], &last["files"]), (&json!(2), &json!(0)));
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let mut scratch = Scratch::new();
    scratch.commit(&file("a", "1"));
    // Older than what is in the log when it comes in.
    scratch.commit_of(b"Bob <bob@example.org>", "side", &file("b", "1"));
    scratch.commit(&file("a", "2"));
    scratch.agrees("2 new commits", "1 file, 1 author, 2 commits");
    let run = scratch.agrees("0 new commits; log had 2 before\n", "1 file, 1 author, 2 commits");
    assert!(!run.out.contains("durable"), "{run:?}");
    assert_eq!(scratch.log().position().get(), 4);

    scratch.commit(&["merge refs/heads/side^0\n", &file("b", "1"), &file("a", "3")].concat());
    scratch.agrees("2 new commits; log had 2 before", "2 files, 2 authors, 4 commits");
    scratch.agrees("0 new commits; log had 4 before", "2 files, 2 authors, 4 commits");
    let continued = scratch.log().streams("");
    fs::remove_dir_all(scratch.path("log")).unwrap();
    scratch.agrees("4 new commits; log had 0 before", "2 files, 2 authors, 4 commits");
    assert_eq!(scratch.log().streams(""), continued);
}

#[test]
fn a_rewritten_history_is_refused() {
    let mut scratch = Scratch::new();
    scratch.commit(&file("a", "1"));
    scratch.commit(&file("a", "2"));
    scratch.agrees("2 new commits", "1 file, 1 author, 2 commits");
    scratch.git(&["-C", "repository", "update-ref", "refs/heads/main", "main~1"]);
    scratch.commit(&file("a", "3"));
    ends(&scratch.run(), 1, "git disagrees: log has 1 commit from outside the history of HEAD");
    assert_eq!(scratch.log().position().get(), 4, "nothing was written");
}

#[test]
fn a_wrong_log_is_found() {
    let mut scratch = Scratch::new();
    scratch.commit(&file("a", "1"));
    scratch.agrees("1 new commit", "1 file, 1 author, 1 commit");
    let append = |stream: &str| {
        let event = NewEvent::new(StreamId::new(stream).unwrap(), "FileAdded", r#"{"commit":"x"}"#);
        scratch.log().append(&Append::new().event(event.unwrap())).wait().unwrap();
    };
    append("file/b");
    let message = "git disagrees: file/b has 1 events in the log, and 0 commits in git";
    ends(&scratch.run(), 1, message);
    append("file/a");
    let message = "git disagrees: file/a has 2 events in the log, and 1 commits in git";
    ends(&scratch.run(), 1, message);
    append("author/nobody");
    ends(&scratch.run(), 2, "the event at position 5 is not one that this program wrote");
}

#[test]
fn every_name_has_a_stream_of_its_own() {
    let mut scratch = Scratch::new();
    let long = "ä".repeat(130);
    let (first, second) = (format!("{long}1"), format!("{long}2"));
    let odd =
        [r#""\nx""#, r#"":x""#, r#""caf\351""#, r#""a%b""#, r#""tab\there""#, "\"q\\\"\\\\\""];
    let paths = [&odd[..], &["x", "ümlaut", "a b", &first, &second]].concat();
    let files: Vec<_> = paths.iter().map(|path| file(path, path)).collect();
    scratch.commit_of(b"J\xF6rg \x1B[31m <j@example.org>", "main", &files.concat());
    scratch.commit_of(b" <>", "main", &file(&first, "changed"));
    let run = scratch.agrees("2 new commits", "11 files, 2 authors, 2 commits");
    assert!(run.out.contains(&format!("  file/{first}\n").replace("file/", "")), "{run:?}");

    let names: Vec<_> = scratch.log().streams("").iter().map(|(id, _)| id.to_string()).collect();
    for name in ["%0Ax", ":x", "caf%E9", "a%25b", "tab%09here", "q\"\\", "x", "ümlaut", "a b"] {
        assert!(names.contains(&format!("file/{name}")), "{name} in {names:?}");
    }
    assert!(names.contains(&"author/J%F6rg %1B[31m <j@example.org>".to_owned()), "{names:?}");
    assert!(names.contains(&"author/ <>".to_owned()), "{names:?}");
    let shortened: Vec<_> = names.iter().filter(|name| name.contains("%~")).collect();
    assert_eq!(shortened.len(), 2, "{names:?}");
    for name in shortened {
        let path = scratch.stream(name).1["path"].clone();
        assert!(path == first || path == second, "{path}");
    }
}

/// A program that was killed between the parts of one commit leaves the first part; its versions
/// are in the log, the commit is not.
#[test]
fn a_commit_too_large_for_one_append_takes_several() {
    let mut scratch = Scratch::new();
    scratch.commit(&file("000/000", "0"));
    let path = |number| format!("{:03}/{:03}", number / 256, number % 256);
    let files: Vec<_> = (0..70_000).map(|number| file(&path(number), "x")).collect();
    scratch.commit(&files.concat());
    scratch.commit(&file("000/000", "y"));
    let agreement = "70,000 files, 1 author, 3 commits";
    let run = scratch.agrees("3 new commits", agreement);
    assert!(
        run.out.contains(" touches 70000 files, too many for one append: it took 2\n"),
        "{run:?}"
    );

    let events = scratch.log().read_all(LogQuery::forward().limit(2 + 65_535));
    let events: Vec<_> = events.map(Result::unwrap).collect();
    let again = |event: &annals::RecordedEvent| {
        let (stream, event_type) = (event.stream.clone(), event.event_type.clone());
        let event = NewEvent::typed(stream, event_type, event.payload.clone()).with_id(event.id);
        event.with_codec(annals::CodecId::JSON, annals::SchemaVersion::FIRST)
    };
    fs::remove_dir_all(scratch.path("log")).unwrap();
    let log = scratch.log();
    for part in [&events[..2], &events[2..]] {
        log.append(&Append::new().events(part.iter().map(again))).wait().unwrap();
    }
    assert_eq!(events.len() - 2, limits::COMMIT_EVENTS_MAX);
    drop(log);
    scratch.agrees("2 new commits; log had 1 before", agreement);
    scratch.agrees("0 new commits", agreement);
}

#[test]
fn settings_and_environment_change_nothing() {
    let mut scratch = Scratch::new();
    scratch.commit(&[file("a", &long_text()), format!("M 160000 {SUBMODULE} s\n")].concat());
    scratch.commit(&["R a ü\n".to_owned(), "D s\n".to_owned()].concat());
    let plain = scratch.agrees("2 new commits", "3 files, 1 author, 2 commits");
    let settings = "[color]\n ui = always\n[core]\n quotePath = true\n abbrev = 4\n pager = false\n\
        [diff]\n renames = false\n ignoreSubmodules = all\n relative = true\n noprefix = true\n\
        renameLimit = 1\n external = false\n orderFile = none\n\
        [format]\n pretty = oneline\n[log]\n showRoot = false\n showSignature = true\n\
        decorate = full\n diffMerges = off\n[i18n]\n logOutputEncoding = UTF-16\n";
    fs::write(scratch.path("config"), settings).unwrap();
    fs::remove_dir_all(scratch.path("log")).unwrap();
    let other = run(scratch
        .program()
        .args(["repository", "--dir", "log"])
        .env("GIT_DIR", "elsewhere")
        .env("GIT_INDEX_FILE", "elsewhere"));
    let table = |run: &Run| run.out.split("\n\n").nth(1).map(str::to_owned);
    assert_eq!((other.code, table(&other)), (0, table(&plain)), "{other:?}");
    assert_eq!(scratch.stream("file/ü").0, "FileRenamed");
}

#[test]
fn shallow_clones_and_work_trees_are_repositories() {
    let mut scratch = Scratch::new();
    scratch.commit(&[file("a", "1"), file("dir/b", "1")].concat());
    scratch.commit(&file("a", "2"));
    scratch.commit(&file("a", "3"));
    let url = format!("file://{}", scratch.path("repository").display());
    scratch.git(&["clone", "--quiet", "--depth=2", &url, "clone"]);
    let shallow = run(scratch.program().args(["clone/dir"]));
    assert!(shallow.out.starts_with("note: this is a shallow clone"), "{shallow:?}");
    assert!(shallow.out.contains("\ngit agrees: 2 files, 1 author, 2 commits\n"), "{shallow:?}");
    assert!(scratch.path("target/git_history/clone").is_dir(), "named after the repository");
    let inside = run(scratch.program().args(["clone/.git"]));
    assert!(inside.out.contains("\n0 new commits; "), "{inside:?}");
}

#[test]
fn no_commits_is_not_an_error() {
    let scratch = Scratch::new();
    let run = scratch.run();
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "HEAD has no commits yet: there is nothing to write\n");
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut scratch = Scratch::new();
    let program = |path: &str| run(scratch.program().arg(path));
    ends(&program("nothing"), 2, "error: nothing does not exist\n");
    ends(&program("config"), 2, "error: config is a file, not a repository\n");
    fs::create_dir(scratch.path("empty")).unwrap();
    let message = "error: git does not take empty as a repository: fatal: not a git repository";
    ends(&program("empty"), 2, message);
    let no_git = run(scratch.program().arg("repository").env("PATH", scratch.path("empty")));
    ends(&no_git, 2, "error: there is no `git` in PATH; install it, or set PATH\n");
    ends(&run(&mut scratch.program()), 2, "Usage: git_history");

    scratch.commit(&file("a", "1"));
    let log = scratch.log();
    ends(&scratch.run(), 2, "error: log/ is open for writing by process ");
    drop(log);
    fs::write(scratch.path("repository/refs/heads/main"), format!("{SUBMODULE}\n")).unwrap();
    ends(&scratch.run(), 2, "error: `git show-ref --verify --quiet refs/heads/main` failed: ");
}

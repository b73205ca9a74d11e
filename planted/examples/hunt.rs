//! Plants each bug and runs the test that must catch it: without the bug the test passes, with the
//! bug it fails, within a minute.
//!
//! ```text
//! cargo run -p annals-planted --example hunt [--models-passed] [BUG...]
//! ```
//!
//! After `--models-passed` the models and schedules are not run without a bug: the gate does that
//! just before, with the same programs.
//!
//! Which test is meant for which bug says the table "Planted bugs" of `docs/guarantees.md`. Ends
//! with an error if a bug is not caught, or not in the table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for the gate"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use annals_planted::Bug;

const DOCUMENT: &str = "docs/guarantees.md";
const HEADING: &str = "## Planted bugs";

/// How long a test may take to notice a bug.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may take where there is none.
const LONG: Duration = Duration::from_mins(15);

/// How tests are compiled: as for use, and with the threads of two model checkers. The compiler's
/// flags, and the packages that the tests are in.
const BUILDS: [(&str, &[&str]); 3] = [
    ("", &["-pannals", "-pannals-engine", "-pannals-executor", "-pannals-index", "-pannals-wal"]),
    ("--cfg annals_loom", &["-pannals-wal", "-pannals-index"]),
    ("--cfg annals_shuttle", &["-pannals"]),
];

/// A test: the file that is compiled, and its name in there.
type Test = (String, String);

/// Which test catches which bug: rows of `` | `bug` | what it is | `file::test` | ``.
fn table(root: &Path) -> Vec<(String, Test)> {
    let document = fs::read_to_string(root.join(DOCUMENT)).unwrap();
    let section = document.split(HEADING).nth(1).expect("the document has the table");
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let words: Vec<&str> = line.strip_prefix("| `")?.split('`').collect();
        let (file, test) = words[words.len() - 2].split_once("::").expect("a file and a test");
        Some((words[0].to_owned(), (file.to_owned(), test.to_owned())))
    };
    section.lines().filter_map(row).collect()
}

/// What is wrong with the table itself.
fn gaps(table: &[(String, Test)]) -> Vec<String> {
    let listed: BTreeSet<&str> = table.iter().map(|(bug, _)| bug.as_str()).collect();
    let known: BTreeSet<&str> = Bug::ALL.iter().map(|bug| bug.name()).collect();
    let missing = known.difference(&listed).map(|bug| format!("{bug} is not in {DOCUMENT}"));
    let unknown = listed.difference(&known).map(|bug| format!("there is no bug {bug}"));
    let doubled = (listed.len() < table.len()).then(|| "a bug is listed twice".to_owned());
    missing.chain(unknown).chain(doubled).collect()
}

/// Which of the builds a test is in.
fn build_of((file, test): &Test) -> usize {
    match () {
        () if test.starts_with("models::") => 1,
        () if file == "tests/schedules.rs" => 2,
        () => 0,
    }
}

/// From file to program.
type Programs = BTreeMap<String, PathBuf>;

/// Compiles the programs that tests are in, so that bugs can be planted.
fn build(root: &Path, number: usize, tests: &BTreeSet<&Test>) -> Programs {
    let target = |(file, _): &Test| match file.split_once("tests/") {
        Some((_, test)) => format!("--test={}", test.trim_end_matches(".rs")),
        None => "--lib".to_owned(),
    };
    let here = tests.iter().filter(|test| build_of(test) == number);
    let targets: BTreeSet<String> = here.map(|test| target(test)).collect();
    if targets.is_empty() {
        return Programs::new();
    }
    let (flags, packages) = BUILDS[number];
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root).args(["test", "--no-run", "--message-format=json"]).args(targets);
    cargo.args(["-pannals-planted", "--features=annals-planted/planted"]).args(packages);
    let given = env::var("RUSTFLAGS").unwrap_or_default();
    cargo.env("RUSTFLAGS", format!("{given} {flags}").trim());
    let output = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the tests do not compile");
    let text = String::from_utf8(output.stdout).unwrap();
    let program = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let file = Path::new(message["target"]["src_path"].as_str()?);
        let file = file.strip_prefix(root).ok()?.to_str()?.to_owned();
        Some((file, PathBuf::from(message["executable"].as_str()?)))
    };
    text.lines().filter_map(program).collect()
}

/// How a test ends.
enum Ending {
    Passed,
    Failed,
    Other(String),
}

/// Runs one test, with a bug or without.
fn run(builds: &[Programs; 3], test: &Test, bug: Option<&str>) -> Ending {
    let (file, name) = test;
    let Some(program) = builds[build_of(test)].get(file) else {
        return Ending::Other(format!("{file} is not compiled: see BUILDS"));
    };
    let mut command = Command::new(program);
    // Where cargo would run it.
    let package = program_directory(file);
    command.current_dir(package).args(["--exact", name]).env_remove("ANNALS_PLANTED");
    command.envs(bug.map(|bug| ("ANNALS_PLANTED", bug)));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > if bug.is_some() { PATIENCE } else { LONG } {
            child.kill().unwrap();
            child.wait().unwrap();
            return Ending::Other("it took too long".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let said = reader.join().unwrap().unwrap();
    match said {
        _ if said.contains("test result: ok. 1 passed") && status.success() => Ending::Passed,
        _ if said.contains("test result: FAILED. 0 passed; 1 failed") => Ending::Failed,
        // A deadlock in a model is a panic, and sometimes a second one on the way out.
        _ if said.contains("running 1 test") && status.code().is_none() => Ending::Failed,
        _ => Ending::Other(format!("{status}: is there such a test?")),
    }
}

/// The directory of the package that a file with tests belongs to.
fn program_directory(file: &str) -> PathBuf {
    let is_in =
        |at: &&Path| matches!(at.file_name(), Some(name) if name == "tests" || name == "src");
    let inner = Path::new(file).ancestors().find(is_in).unwrap();
    root().join(inner.parent().unwrap())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn main() -> ExitCode {
    let (root, mut wanted): (_, Vec<String>) = (root(), env::args().skip(1).collect());
    let models_passed = wanted.first().is_some_and(|first| first == "--models-passed");
    wanted.drain(..usize::from(models_passed));
    let all = table(&root);
    let mut problems = gaps(&all);
    let is_wanted = |bug: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == bug);
    let table: Vec<&(String, Test)> = all.iter().filter(|(bug, _)| is_wanted(bug)).collect();
    let tests: BTreeSet<&Test> = table.iter().map(|(_, test)| test).collect();
    let builds = std::array::from_fn(|number| build(&root, number, &tests));
    let sound = tests.iter().filter(|test| !models_passed || build_of(test) == 0);
    let sound = sound.map(|test| (None, *test));
    let planted = table.iter().map(|(bug, test)| (Some(bug.as_str()), test));
    let jobs: Vec<(Option<&str>, &Test)> = sound.chain(planted).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                // Relaxed: only uniqueness counts.
                while let Some((bug, test)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (start, ending) = (Instant::now(), run(&builds, test, *bug));
                    let time = start.elapsed().as_secs_f64();
                    let (name, line) = (bug.unwrap_or("no bug"), format!("{}::{}", test.0, test.1));
                    let problem = match (ending, bug) {
                        (Ending::Failed, Some(_)) | (Ending::Passed, None) => None,
                        (Ending::Passed, Some(_)) => Some("not caught".to_owned()),
                        (Ending::Failed, None) => Some("the test fails without a bug".to_owned()),
                        (Ending::Other(what), _) => Some(what),
                    };
                    let mark = if problem.is_some() { "NO" } else { "ok" };
                    println!("{mark} {name:28} {time:6.1} s  {line}");
                    let problem = problem.map(|problem| format!("{name}: {line}: {problem}"));
                    found.lock().unwrap().extend(problem);
                }
            });
        }
    });
    problems.extend(found.into_inner().unwrap());
    for problem in &problems {
        println!("{problem}");
    }
    println!("{} bugs planted, {} problems", table.len(), problems.len());
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

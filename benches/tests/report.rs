//! The report from end to end, on Annals in memory and on disk: what it leaves, and what Ctrl-C
//! leaves.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "it looks at files and processes by itself")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

fn report(scratch: &Path, record: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals-bench"));
    command.args(["report", "--quick", "--only", "annals-memory,annals-disk", "--touch", "0"]);
    command.arg("--dir").arg(scratch).arg("--record").arg(record);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn names(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_report_leaves_a_record_and_nothing_else() {
    let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let output = report(scratch.path(), record.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for expected in ["Annals, memory", "Annals, disk", "targets", "p99.9", "recorded in"] {
        assert!(printed.contains(expected), "{expected} not in {printed}");
    }
    assert!(names(scratch.path()).is_empty(), "measured logs are removed");
    let [name] = &names(record.path()).into_iter().collect::<Vec<_>>()[..] else { panic!("one") };
    let directory = record.path().join(name);
    let files = names(&directory);
    for expected in ["README.md", "report.html", "report.json", "throughput-orders-50.svg"] {
        assert!(files.contains(expected), "{files:?}");
    }
    let page = fs::read_to_string(directory.join("README.md")).unwrap();
    let is_picture = |file: &&String| Path::new(file).extension().is_some_and(|e| e == "svg");
    let pictures = files.iter().filter(is_picture);
    assert!(pictures.clone().count() >= 15, "{files:?}");
    assert!(pictures.clone().all(|file| page.contains(&format!("]({file})"))), "{page}");

    let annals_bench = |arguments: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals-bench"));
        command.args(arguments).output().unwrap()
    };
    let compared = annals_bench(&[Path::new("compare"), &directory, &directory]);
    assert!(text(&compared.stdout).contains("too few runs"), "{}", text(&compared.stderr));
    let history = annals_bench(&[Path::new("history"), record.path()]);
    assert!(text(&history.stdout).contains("history.md"), "{}", text(&history.stderr));
    fs::write(directory.join("report.json"), r#"{"schema": 0}"#).unwrap();
    let refused = annals_bench(&[Path::new("compare"), &directory, &directory]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("schema 0"), "{}", text(&refused.stderr));
}

/// Whoever interrupted a report once found half of it recorded, and a store that still wrote.
#[test]
fn an_interrupted_report_leaves_nothing() {
    let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut child = report(scratch.path(), record.path()).spawn().unwrap();
    let run = running(&mut child, scratch.path());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("interrupted: nothing was recorded"));
    assert!(names(scratch.path()).is_empty() && names(record.path()).is_empty());
    // A process that was killed is there until somebody asks for it.
    let is_gone = || {
        fs::read_to_string(format!("/proc/{run}/stat")).map_or(true, |stat| stat.contains(") Z "))
    };
    while !is_gone() {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a run writes a log; returns its process id.
fn running(child: &mut Child, scratch: &Path) -> u32 {
    let parent = child.id();
    loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let run = children.unwrap().split_whitespace().next().map(|id| id.parse().unwrap());
        let has_begun = || {
            let directories = fs::read_dir(scratch).unwrap().flatten();
            directories.into_iter().any(|directory| directory.path().join("run").exists())
        };
        if let Some(run) = run.filter(|_| has_begun()) {
            return run;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A program in the place of the one that runs EventCore.
fn with_peers(script: &str) -> (Output, BTreeSet<String>) {
    let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let program = tempfile::tempdir().unwrap();
    let program = program.path().join("annals-peers");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals-bench"));
    command.args(["report", "--quick", "--only", "eventcore-memory", "--scene", "workloads"]);
    command.args(["--touch", "0"]);
    command.arg("--peers").arg(program);
    let output = command.arg("--dir").arg(scratch.path()).arg("--record").arg(record.path());
    (output.output().unwrap(), names(record.path()))
}

/// 134.6 % of the commands of a harness were successes, and it printed that.
#[test]
fn a_planted_row_that_cannot_be_ends_the_report() {
    let row = r#"{"backend":"eventcore-memory","workload":"financial","callers":100,"asked":2000,
        "accepted":2692,"rejected":0,"conflicts":0,"failed":0,"attempts":2692,"events":2692,
        "seconds":1.0,"cpu_seconds":1.0,"server_cpu_seconds":null,"written_bytes":null,"syncs":null,
        "peak_memory_bytes":null,"latency":"LATENCY","digest":"","expected_digest":"","notes":[]}"#;
    let latency = String::from(annals_bench::Latency::new().unwrap());
    let row = row.replace("LATENCY", &latency).replace('\n', "");
    let (output, recorded) = with_peers(&format!("echo '{row}'"));
    assert!(!output.status.success(), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(said.contains("is not the 2000 that were asked for"), "{said}");
    assert!(recorded.is_empty(), "{recorded:?}");
}

#[test]
fn a_backend_that_cannot_run_says_why() {
    let (output, recorded) = with_peers("echo 'no such database' >&2; exit 1");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("not run") && printed.contains("no such database"), "{printed}");
    assert_eq!(recorded.len(), 1, "{recorded:?}");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_annals-bench"));
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success(), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    let unknown = refused(&["report", "--only", "annals-disc"]);
    assert!(unknown.contains("annals-disk") && unknown.contains("eventcore-sqlite"), "{unknown}");
    let no_peers =
        refused(&["report", "--quick", "--peers", "/nowhere/annals-peers", "--touch", "0"]);
    assert!(
        no_peers.contains("/nowhere/annals-peers") && no_peers.contains("build it"),
        "{no_peers}"
    );
    assert!(refused(&["report", "--rounds", "0"]).contains("0 is not in 1..=100"));
    let no_dir = refused(&["report", "--quick", "--dir", "/proc/nowhere"]);
    assert!(no_dir.contains("choose another one with --dir"), "{no_dir}");
    let no_file = refused(&["compare", "/nowhere", "/nowhere"]);
    assert!(no_file.contains("/nowhere") && no_file.contains("report.json"), "{no_file}");
    assert!(refused(&["history", "/nowhere"]).contains("/nowhere"));
    let orders = ["commands", "--backend", "annals-memory", "--workload", "orders"];
    let rate = refused(&[orders.as_slice(), &["--rate=-1"]].concat());
    assert!(rate.contains("it must be 0.01"), "{rate}");
    assert!(refused(&["commands", "--backend", "annals-disk"]).contains("--workload"));
}

//! EventCore's commands on Postgres. The tests start a server of their own; where there is none,
//! they are not run, and say so.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a test")]

use std::{
    process::{Child, Command, ExitCode, Output, Stdio},
    sync::Arc,
};

use annals_bench::{
    Interrupt,
    report::{Measured, Server},
};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};

type Test = fn(&Server);

const TESTS: [(&str, Test); 4] = [
    ("every_workload_ends_as_planned", every_workload_ends_as_planned),
    ("what_was_given_up_is_not_expected", what_was_given_up_is_not_expected),
    ("an_interrupted_run_leaves_no_database", an_interrupted_run_leaves_no_database),
    ("a_role_that_may_not_create_databases_is_told", a_role_that_may_not_create_databases_is_told),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let interrupt = Interrupt::listen().unwrap();
    let server = match Server::start(&std::env::temp_dir(), &interrupt) {
        Ok(server) => Some(Arc::new(server)),
        Err(error) if std::env::var_os("ANNALS_REQUIRE_POSTGRES").is_some() => {
            println!("ANNALS_REQUIRE_POSTGRES is set, and there is no server: {error}");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            println!("\nnot run: {error}");
            None
        }
    };
    let trial = |(name, test): (&str, Test)| {
        let (is_ignored, server) = (server.is_none(), server.clone());
        let run = move || {
            if let Some(server) = server {
                test(&server);
            }
            Ok::<(), Failed>(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored)
    };
    let trials = TESTS.into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn start(connection: &str, words: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals-peers"));
    command.args(["commands", "--backend", "eventcore-postgres", "--postgres", connection]);
    command.args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn row(server: &Server, words: &str) -> Measured {
    let child = start(&server.connection(), words);
    let own = format!("annals_peers_{}_", child.id());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{words}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 1, "{}", text(&output.stdout));
    let row: Measured = serde_json::from_slice(&output.stdout).unwrap();
    row.check().unwrap();
    assert_eq!(row.digest, row.expected_digest, "{words}");
    assert!(!databases(server).contains(&own), "{words} left a database");
    row
}

fn sql(server: &Server, text: &str) -> String {
    let connection = server.connection();
    let arguments = ["-qAtX", "-v", "ON_ERROR_STOP=1", "-d", &connection, "-c", text];
    let Output { status, stdout, stderr } = Command::new("psql").args(arguments).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}

fn databases(server: &Server) -> String {
    sql(server, "SELECT datname FROM pg_database")
}

fn every_workload_ends_as_planned(server: &Server) {
    for words in [
        "--workload financial --commands 200 --callers 20 --accounts 10",
        "--workload orders --commands 100 --callers 10",
        "--workload batch --commands 10 --callers 2",
        "--workload batch-200 --commands 4 --connections 2",
    ] {
        let row = row(server, words);
        assert!(row.counts.conflicts + row.counts.failed == 0 && row.events > 0, "{words}");
        assert!(row.notes.iter().any(|note| note.contains("connections")), "{:?}", row.notes);
    }
}

fn what_was_given_up_is_not_expected(server: &Server) {
    let contended = "--workload orders --products 4 --commands 150 --callers 50 --retry default";
    let row = row(server, contended);
    assert!(row.counts.conflicts > 0, "50 callers on 4 products lost nothing: {:?}", row.counts);
    // Each was tried five times.
    assert!(row.attempts >= Some(150 + 4 * row.counts.conflicts), "{:?}", row.attempts);
}

fn an_interrupted_run_leaves_no_database(server: &Server) {
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = start(&server.connection(), "--workload financial --commands 1000000");
        // Other tests have databases of their own there.
        let own = format!("annals_peers_{}_", child.id());
        while !databases(server).contains(&own) {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
        assert!(told.contains("interrupted"), "{told}");
        assert!(!databases(server).contains(&own), "a database is left over");
    }
}

fn a_role_that_may_not_create_databases_is_told(server: &Server) {
    sql(server, "CREATE ROLE guest LOGIN");
    let connection = server.connection().replace("user=owner", "user=guest");
    let output = start(&connection, "--workload batch").wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("permission denied"), "{told}");
    assert!(told.contains("may create a database"), "{told}");
}

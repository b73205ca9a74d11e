//! What needs a server of Postgres. The tests start their own; where there is none, they are not
//! run, and say so. With `ANNALS_REQUIRE_POSTGRES` set, that is a failure.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod command_line;
mod contract;
mod differential;
mod encrypted;
mod interrupted;
mod killed;
mod lost;
mod mirroring;
mod observing;
mod proxy;
mod reading;
mod refused;
mod server;
mod subscribing;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::server::Server;

/// What a test is.
type Test = fn(&Server);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let Some(programs) = server::programs() else {
        let how = "install it with: apt-get install postgresql";
        if std::env::var_os("ANNALS_REQUIRE_POSTGRES").is_some() {
            eprintln!("no Postgres found, and ANNALS_REQUIRE_POSTGRES is set; {how}");
            return ExitCode::FAILURE;
        }
        println!("\nnot run: no Postgres found; {how}");
        return libtest_mimic::run(&arguments, ignored()).exit_code();
    };
    let server = (!arguments.list).then(|| Arc::new(Server::start(programs)));
    let mut trials: Vec<Trial> = contract::trials(server.as_ref());
    for (name, test) in tests() {
        let server = server.clone();
        trials.push(Trial::test(name, move || {
            // There is none when tests are only listed.
            if let Some(server) = server {
                test(&server);
            }
            Ok::<(), Failed>(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn ignored() -> Vec<Trial> {
    let name = |name: &str| Trial::test(name, || Ok(())).with_ignored_flag(true);
    let names = tests().into_iter().map(|(test, _)| name(test));
    contract::trials(None).into_iter().map(|t| t.with_ignored_flag(true)).chain(names).collect()
}

fn tests() -> Vec<(&'static str, Test)> {
    macro_rules! named {
        ($($module:ident::$name:ident,)*) => { vec![$((concat!("own::", stringify!($module), "::", stringify!($name)), $module::$name)),*] };
    }
    named![
        contract::it_survives_reopening,
        differential::random_appends_and_reads_are_the_same,
        differential::random_commands_come_to_the_same,
        killed::nothing_is_lost_or_doubled,
        lost::an_append_whose_answer_was_lost_happened_once,
        lost::appends_at_once_whose_answers_are_lost_happen_once,
        lost::a_read_whose_answer_was_lost_is_asked_again,
        lost::a_server_that_stays_away_is_an_error,
        reading::what_is_known_is_not_looked_at,
        reading::a_read_that_takes_long_holds_up_nobody,
        refused::what_cannot_be_reached_is_named,
        refused::passwords_are_checked_and_never_shown,
        refused::a_schema_that_is_not_a_stores_is_refused,
        refused::a_role_may_append_and_read_and_nothing_else,
        refused::a_server_before_14_is_refused,
        refused::text_with_nul_is_refused_and_bytes_with_nul_are_kept,
        refused::rows_that_are_no_events_are_errors,
        subscribing::no_event_is_missed_while_many_append,
        subscribing::who_has_caught_up_is_told_of_what_is_new,
        subscribing::what_was_not_told_is_found,
        subscribing::a_subscription_survives_that_its_server_crashes,
        observing::the_lag_of_a_mirror_is_seen,
        encrypted::a_server_is_verified_by_certificate_and_name,
        mirroring::a_mirror_has_what_the_log_has,
        mirroring::json_is_there_where_postgres_can_hold_it,
        mirroring::commits_can_be_told_apart,
        mirroring::a_mirror_of_version_1_goes_on,
        mirroring::verify_names_the_first_difference,
        interrupted::a_mirror_whose_answers_are_lost_copies_once,
        interrupted::a_copy_that_is_broken_off_leaves_nothing,
        mirroring::two_mirrors_into_the_same_tables_copy_once,
        mirroring::a_mirror_of_something_else_is_refused,
        mirroring::a_mirror_needs_few_rights,
        command_line::the_command_line_mirrors_and_verifies,
        command_line::a_terminal_sees_how_far_it_is,
        command_line::without_postgres_it_is_said_that_nothing_was_run,
    ]
}

/// How often a server is killed: as often as `ANNALS_KILLS` says, or so often.
fn kills(unless_said: u32) -> u32 {
    std::env::var("ANNALS_KILLS").map_or(unless_said, |count| count.parse().unwrap())
}

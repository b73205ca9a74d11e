//! All checks, as a list.

use annals_event::Store;

use crate::{
    contract::{
        appending::{
            a_conflict_changes_nothing, an_append_of_many_events_is_one_commit,
            an_invalid_append_is_refused_and_changes_nothing, positions_and_versions_have_no_gaps,
        },
        expecting::{
            a_conflict_says_what_there_is, every_stream_that_was_not_as_expected_is_named,
            expectations_mean_what_they_say, streams_that_are_only_read_are_checked,
        },
        identity::{
            a_commit_is_found_by_its_ids, an_append_with_ids_happens_once, an_id_names_one_event,
            events_without_ids_have_derived_ones,
        },
        racing::{
            decisions_on_two_streams_are_serializable, of_appends_that_expect_the_same_one_wins,
            streams_are_read_at_one_position,
        },
        reading::{
            a_read_at_a_position_shows_the_past, a_read_begins_after_the_version_asked_for,
            a_stream_without_events_is_at_version_zero, any_name_and_any_bytes_come_back,
            events_come_in_the_order_of_the_log, what_was_appended_is_read,
        },
        subject::{Runner, Subject},
        violation::Verdict,
        waiting::{
            a_dropped_append_happened_wholly_or_not, a_dropped_ticket_undoes_nothing,
            settling_waits_for_what_is_there, what_has_its_place_is_read,
        },
    },
    fail::fail,
};

/// A check of a store.
pub type Check<S, R> = fn(&Subject<'_, S, R>) -> Verdict;

/// Hands the names of all checks to a macro of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_check {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! {
            $arguments
            a_stream_without_events_is_at_version_zero
            what_was_appended_is_read
            any_name_and_any_bytes_come_back
            a_read_begins_after_the_version_asked_for
            a_read_at_a_position_shows_the_past
            events_come_in_the_order_of_the_log
            positions_and_versions_have_no_gaps
            an_append_of_many_events_is_one_commit
            a_conflict_changes_nothing
            an_invalid_append_is_refused_and_changes_nothing
            expectations_mean_what_they_say
            streams_that_are_only_read_are_checked
            every_stream_that_was_not_as_expected_is_named
            a_conflict_says_what_there_is
            an_append_with_ids_happens_once
            a_commit_is_found_by_its_ids
            an_id_names_one_event
            events_without_ids_have_derived_ones
            what_has_its_place_is_read
            a_dropped_ticket_undoes_nothing
            a_dropped_append_happened_wholly_or_not
            settling_waits_for_what_is_there
            of_appends_that_expect_the_same_one_wins
            streams_are_read_at_one_position
            decisions_on_two_streams_are_serializable
        }
    };
}

/// The names and the checks.
#[doc(hidden)]
#[macro_export]
macro_rules! __list_of_checks {
    (() $($name:ident)*) => { vec![$((stringify!($name), $name)),*] };
}

/// All checks, each with its name.
pub fn checks<S: Store, R: Runner>() -> Vec<(&'static str, Check<S, R>)> {
    __for_each_check! { __list_of_checks () }
}

/// Runs a check on two fresh stores: one whose calls block, one whose calls are awaited.
///
/// # Panics
/// The store breaks its word; says how.
#[track_caller]
pub fn run<S: Store, G, R: Runner>(fresh: &impl Fn() -> (S, G), runner: &R, check: Check<S, R>) {
    let (store, guard) = fresh();
    if let Err(violation) = check(&Subject::blocking(&store)) {
        fail(format_args!("called so that it blocks: {violation}"));
    }
    drop((store, guard));
    let (store, _guard) = fresh();
    if let Err(violation) = check(&Subject::awaited(&store, runner)) {
        fail(format_args!("called so that it is awaited: {violation}"));
    }
}

//! What every store promises to commands, as checks that any store can run.
//!
//! [`store_contract!`](crate::store_contract) makes a test of each. A check is given an empty
//! store, calls it, and says how it breaks its word, if it does. Calls that block and calls that
//! are awaited are checked alike.
//!
//! The checks are themselves checked: the tests of this crate run them on stores with planted
//! bugs, and each check has found one.

mod appending;
mod expecting;
mod identity;
mod list;
mod racing;
mod reading;
mod reopening;
mod subject;
mod violation;
mod waiting;

pub use appending::{
    a_conflict_changes_nothing, an_append_of_many_events_is_one_commit,
    an_invalid_append_is_refused_and_changes_nothing, positions_and_versions_have_no_gaps,
};
pub use expecting::{
    a_conflict_says_what_there_is, every_stream_that_was_not_as_expected_is_named,
    expectations_mean_what_they_say, streams_that_are_only_read_are_checked,
};
pub use identity::{
    a_commit_is_found_by_its_ids, an_append_with_ids_happens_once, an_id_names_one_event,
    events_without_ids_have_derived_ones,
};
pub use list::{Check, checks, run};
pub use racing::{
    decisions_on_two_streams_are_serializable, of_appends_that_expect_the_same_one_wins,
    streams_are_read_at_one_position,
};
pub use reading::{
    a_read_at_a_position_shows_the_past, a_read_begins_after_the_version_asked_for,
    a_stream_without_events_is_at_version_zero, any_name_and_any_bytes_come_back,
    events_come_in_the_order_of_the_log, what_was_appended_is_read,
};
pub use reopening::survives_reopening;
pub use subject::{NoRuntime, Runner, Subject};
pub use violation::{Verdict, Violation};
pub use waiting::{
    a_dropped_append_happened_wholly_or_not, a_dropped_ticket_undoes_nothing,
    settling_waits_for_what_is_there, what_has_its_place_is_read,
};

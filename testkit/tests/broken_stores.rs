//! Every check of the contract finds a bug that was planted for it, and none where there is none.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod common;

use std::collections::BTreeSet;

use annals_testkit::contract::{self, NoRuntime, Subject};
use common::{Bug, Naive};

/// Each bug, and the check that must find it.
const BUGS: &[(Bug, &str)] = &[
    (Bug::UnknownStreamsHaveAVersion, "a_stream_without_events_is_at_version_zero"),
    (Bug::LosesTags, "what_was_appended_is_read"),
    (Bug::LosesMetadata, "what_was_appended_is_read"),
    (Bug::LosesCodec, "what_was_appended_is_read"),
    (Bug::IgnoresCase, "any_name_and_any_bytes_come_back"),
    (Bug::TakesNamesForPatterns, "any_name_and_any_bytes_come_back"),
    (Bug::TrimsNames, "any_name_and_any_bytes_come_back"),
    (Bug::EndsAtZero, "any_name_and_any_bytes_come_back"),
    (Bug::ReadsFromTheStart, "a_read_begins_after_the_version_asked_for"),
    (Bug::ReadsOneTooMany, "a_read_begins_after_the_version_asked_for"),
    (Bug::CountsWhatItReads, "a_read_begins_after_the_version_asked_for"),
    (Bug::ReadsTheNewest, "a_read_at_a_position_shows_the_past"),
    (Bug::VersionsOfNow, "a_read_at_a_position_shows_the_past"),
    (Bug::ReadsStreamByStream, "events_come_in_the_order_of_the_log"),
    (Bug::SortsVersions, "events_come_in_the_order_of_the_log"),
    (Bug::ConflictsLeaveGaps, "positions_and_versions_have_no_gaps"),
    (Bug::LastIsBehind, "positions_and_versions_have_no_gaps"),
    (Bug::SortsCommitVersions, "positions_and_versions_have_no_gaps"),
    (Bug::CutsLargeAppends, "an_append_of_many_events_is_one_commit"),
    (Bug::AppendsByStream, "a_conflict_changes_nothing"),
    (Bug::TakesEmptyAppends, "an_invalid_append_is_refused_and_changes_nothing"),
    (Bug::InvalidIsAConflict, "an_invalid_append_is_refused_and_changes_nothing"),
    (Bug::LastExpectationWins, "an_invalid_append_is_refused_and_changes_nothing"),
    (Bug::ExistsIsAny, "expectations_mean_what_they_say"),
    (Bug::NoStreamIsAnyWhenOnlyRead, "expectations_mean_what_they_say"),
    (Bug::ExactlyIsAtLeast, "expectations_mean_what_they_say"),
    (Bug::ChecksOnlyWritten, "streams_that_are_only_read_are_checked"),
    (Bug::ReportsFirstConflict, "every_stream_that_was_not_as_expected_is_named"),
    (Bug::ReportsAllExpectations, "every_stream_that_was_not_as_expected_is_named"),
    (Bug::ConflictAtNowhere, "a_conflict_says_what_there_is"),
    (Bug::ActualIsOff, "a_conflict_says_what_there_is"),
    (Bug::IgnoresIds, "an_append_with_ids_happens_once"),
    (Bug::RepetitionMoves, "an_append_with_ids_happens_once"),
    (Bug::ChecksBeforeIds, "an_append_with_ids_happens_once"),
    (Bug::HidesRepetitions, "a_commit_is_found_by_its_ids"),
    (Bug::FindsFirstIds, "a_commit_is_found_by_its_ids"),
    (Bug::FindsAtTheEnd, "a_commit_is_found_by_its_ids"),
    (Bug::OneIdIsEnough, "an_id_names_one_event"),
    (Bug::SameIds, "events_without_ids_have_derived_ones"),
    (Bug::OtherIds, "events_without_ids_have_derived_ones"),
    (Bug::SeenWhenWaitedFor, "what_has_its_place_is_read"),
    (Bug::DroppedIsGone, "a_dropped_ticket_undoes_nothing"),
    (Bug::AwaitsBetweenStreams, "a_dropped_append_happened_wholly_or_not"),
    (Bug::CannotSettle, "settling_waits_for_what_is_there"),
    (Bug::ChecksBeforeItLocks, "of_appends_that_expect_the_same_one_wins"),
    (Bug::ReadsApart, "streams_are_read_at_one_position"),
    (Bug::ChecksOnlyReadBeforeItLocks, "decisions_on_two_streams_are_serializable"),
];

/// What a check says of a store with a bug, called in both ways.
fn verdicts(name: &str, bug: Option<Bug>) -> [contract::Verdict; 2] {
    let checks = contract::checks::<Naive, NoRuntime>();
    let (_, check) = checks.into_iter().find(|(other, _)| *other == name).unwrap();
    let blocking = check(&Subject::blocking(&Naive::new(bug)));
    [blocking, check(&Subject::awaited(&Naive::new(bug), &NoRuntime))]
}

#[test]
fn every_planted_bug_is_found_by_its_check() {
    for (bug, check) in BUGS {
        let [blocking, awaited] = verdicts(check, Some(*bug));
        // A call that blocks cannot be dropped on its way.
        assert!(blocking.is_err() || *bug == Bug::AwaitsBetweenStreams, "{bug:?}, blocking");
        assert!(awaited.is_err(), "{bug:?}, awaited");
    }
}

#[test]
fn every_check_has_found_a_bug() {
    let proven: BTreeSet<&str> = BUGS.iter().map(|(_, check)| *check).collect();
    let all = contract::checks::<Naive, NoRuntime>();
    assert_eq!(proven, all.iter().map(|(name, _)| *name).collect());
    assert_eq!(all.len(), proven.len(), "each is there once");
}

#[test]
fn a_violation_says_what_was_expected_and_what_there_was() {
    let [blocking, _] = verdicts(
        "a_stream_without_events_is_at_version_zero",
        Some(Bug::UnknownStreamsHaveAVersion),
    );
    assert_eq!(blocking.unwrap_err().to_string(), "versions: expected [0, 0], found [1, 1]");
    let [blocking, _] = verdicts("expectations_mean_what_they_say", Some(Bug::ExistsIsAny));
    let text = "an append that expects at least one event of a stream at version 0, which is \
                written to, was appended";
    assert_eq!(blocking.unwrap_err().to_string(), text);
}

#[test]
fn what_does_not_survive_reopening_is_found() {
    let reopened = |reopen: fn(Naive) -> Naive| {
        contract::survives_reopening(Naive::new(None), &NoRuntime, reopen)
    };
    assert_eq!(reopened(|store| store), Ok(()));
    assert!(reopened(|_| Naive::new(None)).is_err());
    let without_last = |store: Naive| {
        store.forget_last();
        store
    };
    assert!(reopened(without_last).is_err());
    let without_ids = |store: Naive| {
        store.forget_ids();
        store
    };
    assert!(reopened(without_ids).is_err());
}

#[test]
#[should_panic(expected = "called so that it blocks: versions: expected [0, 0], found [1, 1]")]
fn a_test_of_the_contract_fails_where_a_check_does() {
    let fresh = || (Naive::new(Some(Bug::UnknownStreamsHaveAVersion)), ());
    contract::run(&fresh, &NoRuntime, contract::a_stream_without_events_is_at_version_zero);
}

#[test]
#[should_panic(expected = "called so that it is awaited: an append that was dropped is there")]
fn calls_that_are_awaited_are_checked_as_well() {
    let fresh = || (Naive::new(Some(Bug::AwaitsBetweenStreams)), ());
    contract::run(&fresh, &NoRuntime, contract::a_dropped_append_happened_wholly_or_not);
}

annals_testkit::store_contract!(without_a_bug, || (Naive::new(None), ()));

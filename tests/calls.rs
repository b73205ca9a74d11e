//! Every call that a small life makes to its directory, in order: where bytes go, what is synced
//! before what, and that nothing is done twice. Who changes the commit path sees here what that
//! changes; whether the order is safe is for other tests to say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

mod common;

use std::sync::Arc;

use annals::{Annals, SyncPolicy};
use annals_sim::{CrashPlan, Fault, SimDisk, Times};
use common::{numbered, options};

/// Segments are 8 KiB: the last append does not fit into the first one.
const APPENDS: [&[(&str, usize)]; 3] = [&[("a", 100)], &[("a", 50), ("b", 50)], &[("c", 4_000)]];

/// Letters of the checksum of what was written or read.
const CHECKSUM: usize = 16;
/// Of a name's twenty digits all but the last.
const ZEROS: &str = "0000000000000000000";

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.record_trace(true);
    disk
}

fn open(disk: &SimDisk, policy: SyncPolicy) -> Annals {
    options(1).sync_policy(policy).open_on(Arc::new(disk.clone())).unwrap()
}

fn append_all(annals: &Annals) {
    for (number, events) in (0..).zip(APPENDS) {
        annals.append(&numbered(number, events)).wait().unwrap();
    }
}

/// The calls, with neither their number, nor the zeros of names, nor what says which bytes.
fn calls(disk: &SimDisk) -> Vec<String> {
    let short = |line: &String| {
        let words = line.split(' ').skip(1);
        let words = words.filter(|word| word.len() != CHECKSUM && *word != "ok");
        let words: Vec<_> = words.map(|word| word.replace(ZEROS, "")).collect();
        words.join(" ").trim_end().to_owned()
    };
    disk.trace().iter().map(short).collect()
}

#[track_caller]
fn assert_calls(disk: &SimDisk, expected: &str) {
    let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    assert_eq!(calls(disk), expected.collect::<Vec<_>>());
}

fn live(policy: SyncPolicy) -> SimDisk {
    let disk = disk();
    let annals = open(&disk, policy);
    append_all(&annals);
    annals.close().unwrap();
    disk
}

/// The third append ends a segment, whose image is made then, and begins another one.
#[test]
fn of_a_first_life() {
    assert_calls(
        &live(SyncPolicy::Always),
        "names
        lock
        names
        create 1.seg.prepared
        write_at 1.seg.prepared 0 8192 8192
        sync_data 1.seg.prepared
        write_at 1.seg.prepared 0 4096 4096
        sync_data 1.seg.prepared
        rename 1.seg.prepared 1.seg
        sync
        create 0.prepared
        write_at 0.prepared 0 8192 8192
        sync_data 0.prepared

        write_at 1.seg.prepared 4096 176 176
        sync_data 1.seg.prepared

        write_at 1.seg.prepared 4272 224 224
        sync_data 1.seg.prepared

        remove 0.prepared
        create 1.prepared
        write_at 1.prepared 0 12288 12288
        sync_data 1.prepared
        create 2.prepared
        write_at 2.prepared 0 8192 8192
        sync_data 2.prepared
        write_at 1.seg.prepared 4496 48 48
        sync_data 1.seg.prepared
        write_at 1.prepared 0 8192 8192
        sync_data 1.prepared
        rename 1.prepared 4.seg
        sync
        read_at 1.seg.prepared 4496 48 48
        remove 1.idx.tmp error NotFound
        create 1.idx.tmp
        write_at 1.idx.tmp 0 242 242
        sync_data 1.idx.tmp
        rename 1.idx.tmp 1.idx
        open 1.idx Read
        size 1.idx 242
        size 1.idx 242
        read_at 1.idx 0 242 242

        write_at 1.prepared 8192 48 48
        sync_data 1.prepared
        remove 2.prepared",
    );
}

/// Only appends within a segment are not synced.
#[test]
fn of_a_life_without_syncs() {
    let mut always = calls(&live(SyncPolicy::Always));
    for frame in ["write_at 1.seg.prepared 4096 176 176", "write_at 1.seg.prepared 4272 224 224"] {
        let at = always.iter().position(|call| call == frame).unwrap();
        assert_eq!(always.remove(at + 1), "sync_data 1.seg.prepared");
    }
    assert_eq!(calls(&live(SyncPolicy::Never)), always);
}

/// The first segment has its image, so that of the segment only its head and its seal are read.
/// What the close wrote is written once more: it may not have been durable.
#[test]
fn of_an_opening_after_a_close() {
    let left = live(SyncPolicy::Always).crash(CrashPlan::everything());
    left.record_trace(true);
    drop(open(&left, SyncPolicy::Always));
    assert_calls(
        &left,
        "names 1.idx,1.seg,4.seg
        lock
        names 1.idx,1.seg,4.seg
        open 1.seg Read
        read_at 1.seg 0 4096 4096
        size 1.seg 8192
        open 4.seg Write
        read_at 4.seg 0 4096 4096
        size 4.seg 12288
        open 1.idx Read
        size 1.idx 242
        size 1.idx 242
        read_at 1.idx 0 242 242
        read_at 1.seg 4496 48 48
        size 4.seg 12288
        read_at 4.seg 0 12288 12288
        open 4.idx Read error NotFound
        write_at 4.seg 8192 48 48
        sync_data 4.seg
        sync",
    );
}

/// The image's name was not durable, so all of the first segment is read. Of the last one all is
/// written once more, and its name is made durable, before anything is shown.
#[test]
fn of_an_opening_after_a_power_cut() {
    let disk = disk();
    let annals = open(&disk, SyncPolicy::Always);
    append_all(&annals);
    let left = disk.crash(CrashPlan::durable_only());
    left.record_trace(true);
    open(&left, SyncPolicy::Always).close().unwrap();
    assert_calls(
        &left,
        "names 1.seg,2.prepared,4.seg
        lock
        names 1.seg,2.prepared,4.seg
        open 1.seg Read
        read_at 1.seg 0 4096 4096
        size 1.seg 8192
        open 4.seg Write
        read_at 4.seg 0 4096 4096
        size 4.seg 12288
        open 1.idx Read error NotFound
        size 1.seg 8192
        read_at 1.seg 0 8192 8192
        size 4.seg 12288
        read_at 4.seg 0 12288 12288
        open 4.idx Read error NotFound
        write_at 4.seg 0 8192 8192
        sync_data 4.seg
        rename 4.seg 4.seg.moved
        rename 4.seg.moved 4.seg
        sync
        remove 2.prepared
        read_at 1.seg 4496 48 48
        remove 1.idx.tmp error NotFound
        create 1.idx.tmp
        write_at 1.idx.tmp 0 242 242
        sync_data 1.idx.tmp
        rename 1.idx.tmp 1.idx
        open 1.idx Read
        size 1.idx 242
        size 1.idx 242
        read_at 1.idx 0 242 242
        write_at 4.seg 8192 48 48
        sync_data 4.seg",
    );
}

/// A segment that is prepared ahead and finds no room gives back what it took; a call that was
/// interrupted is made again.
#[test]
fn of_a_segment_that_cannot_be_prepared() {
    let disk = disk();
    // Both of `write_at 0.prepared`.
    disk.fail_at(12, Fault::EINTR, Times::Once);
    disk.fail_at(13, Fault::ENOSPC, Times::Once);
    let annals = open(&disk, SyncPolicy::Always);
    annals.append(&numbered(0, APPENDS[0])).wait().unwrap();
    let after = calls(&disk).split_off(10);
    let expected = [
        "create 0.prepared",
        "write_at 0.prepared 0 8192 error 4",
        "write_at 0.prepared 0 8192 error 28",
        "remove 0.prepared",
        "write_at 1.seg.prepared 4096 176 176",
        "sync_data 1.seg.prepared",
    ];
    assert_eq!(after, expected);
}

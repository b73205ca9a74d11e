//! What is done to a store while the disk below it is recorded. Workloads are data: `perform` does
//! what they say, with random choices that follow from a seed.

use annals::{ReadMode, SyncPolicy, Threads};
use std::time::Duration;

/// What is done to a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// What is special about it.
    pub(crate) about: &'static str,
    /// How often the store is opened.
    pub(crate) rounds: u64,
    /// How many threads append.
    pub(crate) callers: u64,
    /// How many appends each caller makes in each round.
    pub(crate) appends: u64,
    /// How many of its appends a caller has on their way at the same time, at most.
    pub(crate) together: u64,
    /// How many events an append has, at most.
    pub(crate) events_max: u64,
    /// How many streams there are.
    pub(crate) streams: u64,
    /// The longest payload, in bytes.
    pub(crate) payload_bytes_max: u64,
    /// The size of a segment in bytes.
    pub(crate) segment_bytes: u64,
    pub(crate) sync_policy: SyncPolicy,
    pub(crate) read_mode: ReadMode,
    pub(crate) threads: Threads,
    /// Whether other files change beside the log, the whole filesystem is synced now and then, and
    /// what it frees is discarded.
    pub(crate) has_neighbours: bool,
}

const SEGMENT: u64 = 64 << 10;
const SMALL_SEGMENT: u64 = 8 << 10;

/// What most of them are like.
const PLAIN: Workload = Workload {
    name: "one-stream",
    about: "one caller, one event at a time, one stream",
    rounds: 1,
    callers: 1,
    appends: 40,
    together: 1,
    events_max: 1,
    streams: 1,
    payload_bytes_max: 300,
    segment_bytes: SEGMENT,
    sync_policy: SyncPolicy::Always,
    read_mode: ReadMode::Map,
    threads: Threads::Inline,
    has_neighbours: false,
};

const INTERVAL: Workload = Workload {
    name: "interval",
    about: "acknowledged before it is synced: a power cut may take the end, and no more; written \
                through the mapping",
    rounds: 2,
    callers: 2,
    appends: 25,
    streams: 3,
    events_max: 3,
    payload_bytes_max: 900,
    segment_bytes: 16 << 10,
    sync_policy: SyncPolicy::Interval(Duration::from_millis(5)),
    threads: Threads::Background,
    ..PLAIN
};

/// All of them.
pub(crate) const ALL: [Workload; 12] = [
    PLAIN,
    Workload {
        name: "many-streams",
        about: "appends of up to six events over seven streams",
        events_max: 6,
        streams: 7,
        payload_bytes_max: 700,
        read_mode: ReadMode::Pread,
        ..PLAIN
    },
    Workload {
        name: "groups",
        about: "up to five appends share a write and a sync",
        together: 5,
        events_max: 3,
        streams: 3,
        payload_bytes_max: 900,
        ..PLAIN
    },
    Workload {
        name: "threads",
        about: "four threads and the helper threads, segments change under them",
        callers: 4,
        appends: 12,
        together: 3,
        events_max: 4,
        streams: 5,
        payload_bytes_max: 900,
        segment_bytes: 16 << 10,
        threads: Threads::Background,
        ..PLAIN
    },
    Workload {
        name: "segments",
        about: "the smallest segments: every few appends one is sealed and the next begins",
        appends: 24,
        streams: 3,
        events_max: 2,
        payload_bytes_max: 2500,
        segment_bytes: SMALL_SEGMENT,
        ..PLAIN
    },
    Workload {
        name: "segments-threads",
        about: "the same with helper threads, which prepare segments and write images meanwhile",
        callers: 2,
        appends: 12,
        together: 2,
        streams: 3,
        events_max: 2,
        payload_bytes_max: 2500,
        segment_bytes: SMALL_SEGMENT,
        read_mode: ReadMode::Pread,
        threads: Threads::Background,
        ..PLAIN
    },
    Workload {
        name: "oversize",
        about: "commits larger than a segment among small ones",
        appends: 12,
        streams: 2,
        events_max: 3,
        payload_bytes_max: 9000,
        segment_bytes: SMALL_SEGMENT,
        ..PLAIN
    },
    Workload {
        name: "reopen",
        about: "closed and opened again every few appends",
        rounds: 6,
        appends: 5,
        streams: 3,
        events_max: 3,
        payload_bytes_max: 900,
        segment_bytes: 16 << 10,
        ..PLAIN
    },
    Workload {
        name: "reopen-segments",
        about: "closed and opened again while segments change",
        rounds: 5,
        appends: 5,
        streams: 3,
        events_max: 2,
        payload_bytes_max: 2500,
        segment_bytes: SMALL_SEGMENT,
        read_mode: ReadMode::Pread,
        ..PLAIN
    },
    Workload {
        name: "neighbours",
        about: "other files change and are discarded, and the filesystem is synced now and then",
        appends: 24,
        streams: 3,
        events_max: 3,
        payload_bytes_max: 1500,
        segment_bytes: SMALL_SEGMENT,
        has_neighbours: true,
        ..PLAIN
    },
    INTERVAL,
    Workload {
        name: "interval-pread",
        about: "the same, written with `pwrite`",
        read_mode: ReadMode::Pread,
        ..INTERVAL
    },
];

/// What happens to a store after a power cut: it recovers and goes on, and the power is cut again.
pub(crate) const RECOVERY: Workload = Workload {
    name: "recovery",
    about: "recovery from a power cut, and what comes after it",
    rounds: 2,
    appends: 3,
    streams: 3,
    events_max: 3,
    payload_bytes_max: 900,
    ..PLAIN
};

/// What runs on a disk that fails. How often it is opened depends on how it fares.
pub(crate) const FAILING: [Workload; 4] = [
    Workload {
        name: "failing",
        about: "one caller on a disk that fails",
        appends: 14,
        together: 2,
        streams: 3,
        events_max: 2,
        payload_bytes_max: 1800,
        segment_bytes: SMALL_SEGMENT,
        read_mode: ReadMode::Pread,
        ..PLAIN
    },
    Workload {
        name: "failing-threads",
        about: "two callers and the helper threads on a disk that fails",
        callers: 2,
        appends: 8,
        together: 2,
        streams: 3,
        events_max: 2,
        payload_bytes_max: 1800,
        segment_bytes: SMALL_SEGMENT,
        read_mode: ReadMode::Pread,
        threads: Threads::Background,
        ..PLAIN
    },
    FAILING_MAP,
    Workload {
        name: "failing-interval",
        about: "acknowledged before it is synced, and written through the mapping, on a disk that fails",
        sync_policy: INTERVAL.sync_policy,
        threads: Threads::Background,
        callers: 2,
        appends: 8,
        ..FAILING_MAP
    },
];

const FAILING_MAP: Workload = Workload {
    name: "failing-map",
    about: "one caller who reads mapped files, on a disk that fails",
    appends: 14,
    together: 2,
    streams: 3,
    events_max: 2,
    payload_bytes_max: 1800,
    segment_bytes: SMALL_SEGMENT,
    ..PLAIN
};

/// What runs while system calls fail. The first has one thread, so that it is known which call is
/// which.
pub(crate) const CALLS: [Workload; 3] = [
    Workload { name: "failing-calls", about: "one caller whose system calls fail", ..FAILING[0] },
    Workload {
        name: "failing-calls-map",
        about: "one caller who reads mapped files, and whose system calls fail",
        ..FAILING[2]
    },
    Workload {
        name: "failing-calls-interval",
        about: "acknowledged before it is synced, while system calls fail",
        ..FAILING[3]
    },
];

/// What runs while the filesystem fills up.
pub(crate) const FULL: [Workload; 4] = [
    Workload { name: "full", about: "one caller on a filesystem that fills up", ..FAILING[0] },
    Workload {
        name: "full-threads",
        about: "two callers and the helper threads on a filesystem that fills up",
        ..FAILING[1]
    },
    Workload {
        name: "full-map",
        about: "one caller who reads mapped files, on a filesystem that fills up",
        ..FAILING[2]
    },
    Workload {
        name: "full-interval",
        about: "acknowledged before it is synced, and written through the mapping where overwriting \
                needs no room, on a filesystem that fills up",
        ..FAILING[3]
    },
];

/// What is read from a disk that gives nothing back.
pub(crate) const UNREADABLE: [Workload; 2] = [
    Workload {
        name: "unreadable",
        about: "one caller who reads files that the disk does not give back",
        ..FAILING[0]
    },
    Workload {
        name: "unreadable-map",
        about: "the same with mapped files: `SIGBUS` ends the process",
        ..FAILING[2]
    },
];

/// All there are.
pub(crate) fn catalogue() -> impl Iterator<Item = Workload> {
    ALL.into_iter().chain([RECOVERY]).chain(FAILING).chain(CALLS).chain(FULL).chain(UNREADABLE)
}

/// Finds one by its name.
pub(crate) fn by_name(name: &str) -> Option<Workload> {
    catalogue().find(|workload| workload.name == name)
}

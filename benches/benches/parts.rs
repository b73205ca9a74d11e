//! The parts of an append and of a read, by themselves: what each costs without the others.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::{hint::black_box, ops::ControlFlow, time::Instant};

use annals::{
    Annals, Append, EventType, Events, ExpectedVersion, LogQuery, NewEvent, Position, StreamId,
    StreamQuery, StreamVersion, Timestamp,
};
use annals_event::{CommitHead, CommitView, Encoder};
use annals_wal::body_checksum;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// The shapes of W1, W2 and W3: events and streams of each append.
const SHAPES: [(&str, usize, usize); 3] =
    [("W1: 100 events", 100, 5), ("W2: 1 event", 1, 1), ("W3: 4 events", 4, 4)];

/// Events of 100 bytes for streams in turn, which are expected to be empty.
fn append(events: usize, streams: usize) -> Append {
    let happened = EventType::new("Happened").unwrap();
    let stream = |n: usize| StreamId::new(&format!("stream-{n}")).unwrap();
    let all: Vec<StreamId> = (0..streams).map(stream).collect();
    let event = |stream: &StreamId| NewEvent::typed(stream.clone(), happened.clone(), [7; 100]);
    let expect = |stream: &StreamId| (stream.clone(), ExpectedVersion::NoStream);
    Append {
        events: all.iter().cycle().take(events).map(event).collect(),
        expectations: all.iter().map(expect).collect(),
    }
}

/// Each shape, with how many events an append has.
fn shapes() -> impl Iterator<Item = (&'static str, Append, u64)> {
    let shape =
        |(name, events, streams)| (name, append(events, streams), u64::try_from(events).unwrap());
    SHAPES.into_iter().map(shape)
}

/// From an append to the body of a frame.
fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (name, append, events) in shapes() {
        let mut encoder = Encoder::default();
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bencher| {
            bencher.iter(|| encoder.encode(black_box(&append)).unwrap());
        });
    }
}

/// The checksum of a body.
fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for (name, append, _) in shapes() {
        let mut encoder = Encoder::default();
        encoder.encode(&append).unwrap();
        let body = encoder.body();
        group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap()));
        group.bench_function(name, |bencher| bencher.iter(|| body_checksum(black_box(body))));
    }
}

/// From the body of a frame to views of its events.
fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, append, events) in shapes() {
        let mut encoder = Encoder::default();
        encoder.encode(&append).unwrap();
        let head = CommitHead {
            log_id: 1,
            first: Position::new(1),
            events: u32::try_from(events).unwrap(),
            time: Timestamp(0),
            versions: &vec![0; 8 * append.expectations.len()],
        };
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut commit = CommitView::parse(head, black_box(encoder.body())).unwrap();
                commit.events().map(|event| event.unwrap().payload.len()).sum::<usize>()
            });
        });
    }
}

/// All of an append, without a disk: encoding, checking, indexing, a group of its own.
fn append_in_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append in memory");
    for (name, append, events) in shapes() {
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (annals, mut append) = (Annals::in_memory().unwrap(), append.clone());
                let start = Instant::now();
                for _ in 0..iterations {
                    let versions = annals.append(&append).wait().unwrap().versions;
                    expect(&mut append, &versions);
                }
                start.elapsed()
            });
        });
    }
}

/// Has an append expect what the last one was told.
fn expect(append: &mut Append, versions: &[StreamVersion]) {
    for ((_, expected), version) in append.expectations.iter_mut().zip(versions) {
        *expected = ExpectedVersion::Exactly(*version);
    }
}

/// How many events the stores have that are read.
const EVENTS: u64 = 20_000;

/// A store in memory, with every event in a commit of its own or in batches.
fn filled(mut append: Append, events: u64) -> Annals {
    let annals = Annals::in_memory().unwrap();
    for _ in 0..EVENTS / events {
        let versions = annals.append(&append).wait().unwrap().versions;
        expect(&mut append, &versions);
    }
    annals
}

/// Reading as views, checksums verified.
fn read_in_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read in memory");
    for (name, append, events) in shapes() {
        let stream = append.events.first().unwrap().stream.clone();
        let annals = filled(append, events);
        let of_log = || annals.read_all(LogQuery::forward());
        let of_stream = || annals.read_stream(&stream, StreamQuery::forward());
        let reads: [(&str, &dyn Fn() -> Events); 2] = [("log", &of_log), ("stream", &of_stream)];
        for (what, read) in reads {
            group.throughput(Throughput::Elements(count(read())));
            group.bench_function(BenchmarkId::new(what, name), |bencher| {
                bencher.iter(|| count(read()));
            });
        }
    }
}

fn count(events: Events) -> u64 {
    let mut count = 0;
    let visited = events.visit(|event| {
        black_box(event.payload);
        count += 1;
        ControlFlow::Continue(())
    });
    visited.unwrap();
    count
}

criterion_group!(parts, encode, checksum, decode, append_in_memory, read_in_memory);
criterion_main!(parts);

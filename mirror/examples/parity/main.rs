//! The same commands and appends on the engine, in memory and on Postgres; and on Postgres with one
//! thing after the other that it is used for taken away. In turns; medians of the rounds. Rates are
//! of this machine, and of what else it did; the ratios say more. The processor's time that the
//! server took for each command or event depends the least on others.
//!
//! `DATABASE_URL=... cargo run --release -p annals-postgres --example parity [seconds] [rounds]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "an example"
)]

mod altered;
mod server;
mod workloads;

use std::time::{Duration, Instant};

use annals::{Annals, Store};
use annals_postgres::{PostgresStore, Role, Settings, init};

use crate::{
    altered::{Altered, Way},
    server::Server,
    workloads::{Done, batches, commands, financial, order},
};

/// A row: what is measured, and on what.
struct Row {
    name: &'static str,
    on: On,
    events_of_an_append: u64,
}

enum On {
    Disk,
    Memory,
    Postgres(fn(Settings) -> Settings, Way),
}

fn rows() -> Vec<Row> {
    let row = |name, on| Row { name, on, events_of_an_append: 100 };
    let postgres = |name, set, way| row(name, On::Postgres(set, way));
    vec![
        row("engine, on disk", On::Disk),
        row("engine, in memory", On::Memory),
        postgres("Postgres", |s| s, Way::AsItIs),
        postgres("- each stream read by a query of its own", |s| s, Way::StreamByStream),
        postgres("- what is read is read twice", |s| s, Way::Twice),
        postgres("- each caller's calls by themselves", |s| s.gathered_max(1), Way::AsItIs),
        Row {
            events_of_an_append: 1,
            ..postgres("- each event of a batch by itself", |s| s, Way::AsItIs)
        },
        postgres("- statements not prepared", |s| s.prepared(false), Way::AsItIs),
        postgres("- one connection that reads", |s| s.readers(1), Way::AsItIs),
        postgres("- a connection for each call", |s| s.readers(1), Way::Unpooled),
        postgres(
            "- read one by one, nothing shared or prepared",
            |s| s.gathered_max(1).prepared(false).readers(1),
            Way::StreamByStream,
        ),
    ]
}

const WORKLOADS: usize = 3;

/// A rate, what failed, and the server's microseconds for each.
#[derive(Clone, Copy, Default)]
struct Measured {
    rate: f64,
    failed: u64,
    server: f64,
}

struct Bench {
    url: String,
    time: Duration,
    server: Option<Server>,
    directory: tempfile::TempDir,
    stores: u32,
}

impl Bench {
    async fn measure(&mut self, row: &Row, workload: usize) -> Measured {
        self.stores += 1;
        let before = self.server.map(Server::seconds);
        let done = match row.on {
            On::Disk => {
                let directory = self.directory.path().join(self.stores.to_string());
                self.run(Annals::open(directory).unwrap(), row, workload).await
            }
            On::Memory => self.run(Annals::in_memory().unwrap(), row, workload).await,
            On::Postgres(set, way) => {
                let schema = format!("parity {} {}", std::process::id(), self.stores);
                let settings = set(Settings::parse(&self.url).unwrap().schema(schema));
                init(&settings, Role::Store).unwrap();
                self.run(Altered::new(settings, way), row, workload).await
            }
        };
        let server = before.zip(self.server).map_or(0.0, |(before, now)| now.seconds() - before);
        let count = done.count.max(1) as f64;
        let (rate, failed) = (done.count as f64 / done.seconds, done.failed);
        Measured { rate, failed, server: server * 1e6 / count }
    }

    async fn run<S: Store + 'static>(&self, store: S, row: &Row, workload: usize) -> Done {
        match workload {
            0 => commands(store, 100, financial, self.time).await,
            1 => commands(store, 50, order, self.time).await,
            _ => batches(store, row.events_of_an_append, self.time).await,
        }
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn print(rows: &[Row], rounds: &[Vec<[Measured; WORKLOADS]>]) {
    println!(
        "| | financial, commands/s | server, µs | orders, commands/s | server, µs | batches, events/s | server, µs |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (number, row) in rows.iter().enumerate() {
        let mut cells = vec![row.name.to_owned()];
        for workload in 0..WORKLOADS {
            let all = || rounds.iter().map(|round| round[number][workload]);
            let rate = median(all().map(|one| one.rate).collect());
            let server = median(all().map(|one| one.server).collect());
            let failed: u64 = all().map(|one| one.failed).sum();
            let failed = if failed == 0 { String::new() } else { format!(" ({failed} failed)") };
            let server = match row.on {
                On::Postgres(..) => format!("{server:.0}"),
                _ => "-".to_owned(),
            };
            cells.extend([format!("{rate:.0}{failed}"), server]);
        }
        println!("| {} |", cells.join(" | "));
    }
}

/// How long a first read takes: on a store that has to connect, and on one that has connected.
fn first_reads(url: &str, rounds: u32) {
    let settings =
        Settings::parse(url).unwrap().schema(format!("parity {} first", std::process::id()));
    init(&settings, Role::Store).unwrap();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..rounds * 7 {
        let started = Instant::now();
        let store = PostgresStore::open(settings.clone()).unwrap();
        store.read_blocking(&[], None).unwrap();
        cold.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        store.read_blocking(&[], None).unwrap();
        warm.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let (cold, warm) = (median(cold), median(warm));
    println!(
        "\nA first read takes {cold:.2} ms with its connections to be made, {warm:.2} ms with them there."
    );
}

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>().unwrap());
    let time = Duration::from_secs(arguments.next().unwrap_or(3).into());
    let rounds_max = arguments.next().unwrap_or(3);
    let (server, directory) = (Server::find(&url).await, tempfile::tempdir().unwrap());
    let mut bench = Bench { url: url.clone(), time, server, directory, stores: 0 };
    let (rows, mut rounds) = (rows(), Vec::new());
    for round in 1..=rounds_max {
        eprintln!("round {round} of {rounds_max}");
        let mut measured = vec![[Measured::default(); WORKLOADS]; rows.len()];
        for (row, measured) in rows.iter().zip(&mut measured) {
            for (workload, measured) in measured.iter_mut().enumerate() {
                *measured = bench.measure(row, workload).await;
            }
        }
        rounds.push(measured);
    }
    print(&rows, &rounds);
    first_reads(&url, rounds_max);
}

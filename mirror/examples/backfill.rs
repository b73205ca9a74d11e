//! How fast a mirror catches up with a log that is there already, against the COPY of the same rows
//! from a file into the same tables: the most that the server can do with them. In turns; medians.
//! The connection must be a superuser's, since the server reads and writes the file itself.
//!
//! `DATABASE_URL=... cargo run --release -p annals-postgres --example backfill [events] [rounds]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "an example"
)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Instant,
};

use annals::{Annals, Append, CodecId, NewEvent, SchemaVersion, StreamId};
use annals_postgres::{Mirror, Role, Settings, init, verify};
use tokio_postgres::{Client, NoTls};

const STREAMS: u64 = 10_000;
const EVENTS_OF_A_COMMIT: u64 = 10;

/// What the events hold.
#[derive(Debug, Clone, Copy)]
enum Payload {
    /// 120 bytes that mean nothing to Postgres.
    Bytes,
    /// 120 bytes of JSON, which are copied as `jsonb` as well.
    Json,
}

fn event(number: u64, payload: Payload) -> NewEvent {
    let stream = StreamId::new(&format!("account-{:05}", number * 7_919 % STREAMS)).unwrap();
    let json = format!(
        r#"{{"account":"account-{:05}","cents":{:010},"reason":"a deposit by somebody, number {number:012}","at":{number:012}}}"#,
        number % STREAMS,
        number * 31
    );
    match payload {
        Payload::Bytes => {
            let bytes = json.into_bytes().into_iter().map(|byte| byte ^ 0x80).take(120);
            NewEvent::new(stream, "Deposited", bytes.collect::<Vec<_>>()).unwrap()
        }
        Payload::Json => NewEvent::new(stream, "Deposited", json)
            .unwrap()
            .with_codec(CodecId::JSON, SchemaVersion::FIRST),
    }
}

fn fill(annals: &Annals, events: u64, payload: Payload) {
    let appends = (0..events / EVENTS_OF_A_COMMIT).map(|commit| {
        let numbers = (0..EVENTS_OF_A_COMMIT).map(|n| commit * EVENTS_OF_A_COMMIT + n);
        Append::new().events(numbers.map(|number| event(number, payload)).collect::<Vec<_>>())
    });
    let mut last = None;
    for append in appends {
        last = Some(annals.append(&append));
    }
    last.unwrap().wait().unwrap();
}

async fn run(client: &Client, statement: &str) {
    client.batch_execute(statement).await.unwrap();
}

/// The same rows, from a file into empty tables.
async fn copy(client: &Client, from: &str, to: &str, directory: &Path) -> f64 {
    let file = |table: &str| directory.join(table).display().to_string();
    for table in ["streams", "events"] {
        run(client, &format!("COPY {from}.{table} TO '{}' (FORMAT binary)", file(table))).await;
    }
    run(client, "CHECKPOINT").await;
    let started = Instant::now();
    run(
        client,
        &format!(
            "BEGIN; COPY {to}.streams FROM '{}' (FORMAT binary);
            COPY {to}.events FROM '{}' (FORMAT binary); COMMIT",
            file("streams"),
            file("events")
        ),
    )
    .await;
    started.elapsed().as_secs_f64()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap()
}

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let (events, rounds) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(3));
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    println!("| payload | round | mirror, events/s | COPY from a file, events/s | ratio |");
    println!("|---|--:|--:|--:|--:|");
    for payload in [Payload::Bytes, Payload::Json] {
        let directory = tempfile::tempdir().unwrap();
        // The server is somebody else.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        let annals = Annals::open(directory.path().join("log")).unwrap();
        fill(&annals, events, payload);
        let (mut mirrored, mut copied, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=rounds {
            let (by_mirror, by_copy) = ("backfill_mirror", "backfill_copy");
            let settings = |schema: &str| Settings::parse(&url).unwrap().schema(schema);
            for schema in [by_mirror, by_copy] {
                run(&client, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
                let role = Role::Mirror { log: Mirror::log_id(&annals) };
                init(&settings(schema), role).unwrap();
            }
            run(&client, "CHECKPOINT").await;
            let started = Instant::now();
            let mirror = Mirror::start(&annals, settings(by_mirror)).unwrap();
            mirror.wait_for(annals.position(), |_| {}).unwrap();
            let seconds = started.elapsed().as_secs_f64();
            mirror.stop();
            if round == 1 {
                let same = verify(&annals, &settings(by_mirror), |_| {}).unwrap();
                assert_eq!(same, Ok(annals.position()));
            }
            let limit = copy(&client, by_mirror, by_copy, directory.path()).await;
            let (by_mirror, by_copy) = (events as f64 / seconds, events as f64 / limit);
            let ratio = by_mirror / by_copy;
            println!("| {payload:?} | {round} | {by_mirror:.0} | {by_copy:.0} | {ratio:.2} |");
            mirrored.push(by_mirror);
            copied.push(by_copy);
            ratios.push(ratio);
        }
        println!(
            "| {payload:?} | median | {:.0} | {:.0} | {:.2} |",
            median(mirrored),
            median(copied),
            median(ratios)
        );
    }
    for schema in ["backfill_mirror", "backfill_copy"] {
        run(&client, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
    }
}

//! One run on Annals: opened, prepared, measured, verified.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use annals::{Annals, Executor, Options, RetryPolicy, Store};
use annals_postgres::{PostgresStore, Role, Settings};
use clap::ValueEnum;

use super::{
    asking::{Asking, Executing},
    batches::Appending,
    callers::{self, Outcome},
    ending, preparing,
    work::Numbers,
};
use crate::{
    error::BenchError,
    report::{
        asked::Asked,
        measured::{Counts, Measured},
        meter::{Meter, Spent},
        plan::Workload,
    },
};

/// Where events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keeping {
    #[value(name = "annals-memory")]
    Memory,
    #[value(name = "annals-disk")]
    Disk,
    #[value(name = "annals-postgres")]
    Postgres,
}

/// One run of one workload, in this process.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Commands {
    #[arg(long, value_enum)]
    pub(crate) backend: Keeping,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// So many commands in a second, whether they are answered or not [default: as fast as they
    /// are answered].
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// A directory that does not exist yet, for the log.
    #[arg(long, required_if_eq("backend", "annals-disk"))]
    pub(crate) dir: Option<PathBuf>,
    /// How to connect to the server.
    #[arg(long, required_if_eq("backend", "annals-postgres"))]
    pub(crate) postgres: Option<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    // A command would be meant for next year, or for no time at all.
    let is_possible = (0.01..=1e9).contains(&rate);
    if is_possible { Ok(rate) } else { Err("it must be 0.01 to 1,000,000,000".to_owned()) }
}

/// Runs it, and verifies what the store holds afterwards.
pub(crate) fn run(commands: &Commands) -> Result<Measured, BenchError> {
    match commands.backend {
        Keeping::Memory => {
            let annals = Annals::in_memory()?;
            on_store(commands, &annals, &|| Some(0))
        }
        Keeping::Disk => on_disk(commands),
        Keeping::Postgres => {
            let server = commands.postgres.as_deref().unwrap_or_default();
            let postgres = |error: annals_postgres::ConnectError| {
                BenchError::Command(format!("no store over Postgres: {error}"))
            };
            let settings = Settings::parse(server).map_err(postgres)?;
            // Nobody else has this schema.
            let settings = settings.schema(format!("annals_{}", std::process::id()));
            annals_postgres::init(&settings, Role::Store).map_err(postgres)?;
            on_store(commands, &PostgresStore::open(settings).map_err(postgres)?, &|| None)
        }
    }
}

fn on_disk(commands: &Commands) -> Result<Measured, BenchError> {
    let dir = commands.dir.clone().unwrap_or_default();
    let annals = Options::new().open(&dir)?;
    let mut measured = on_store(commands, &annals, &|| Some(annals.stats().log.syncs))?;
    let log = annals.stats().log;
    let used = crate::number::human_count(log.bytes_used);
    let groups = crate::number::human_count(log.groups);
    measured.notes.push(format!("{groups} groups; the log has {used} bytes"));
    annals.close()?;
    drop(annals);
    // What was acknowledged is what is found by who comes later.
    let annals = Options::new().open(&dir)?;
    measured.digest = ending::read(&commands.asked.plan(), &annals)?.digest();
    Ok(measured)
}

/// The workload on a store that is open and empty. `syncs`: how many there were so far.
fn on_store<S: Store + Clone + 'static>(
    commands: &Commands,
    store: &S,
    syncs: &dyn Fn() -> Option<u64>,
) -> Result<Measured, BenchError> {
    let workload = commands.asked.plan();
    preparing::prepare(&workload, store)?;
    let syncs_before = syncs();
    let (outcome, retries, spent) = match workload {
        Workload::Financial(financial) => execute(commands, financial, store)?,
        Workload::Orders(orders) => execute(commands, orders, store)?,
        Workload::Batch(batch) => {
            let numbers = Numbers::Own { callers: batch.callers, count: batch.appends };
            let work = Appending::new(batch, store.clone())?;
            let meter = Meter::start();
            let outcome = callers::run(work, numbers, batch.callers, commands.rate)?;
            (outcome, 0, meter.stop())
        }
    };
    let syncs = syncs().zip(syncs_before).map(|(after, before)| after - before);
    let digest = ending::read(&workload, store)?.digest();
    Ok(Measured { syncs, ..measured(commands, outcome, retries, &spent, digest) })
}

fn execute<A: Asking, S: Store + Clone + 'static>(
    commands: &Commands,
    asking: A,
    store: &S,
) -> Result<(Outcome, u64, Spent), BenchError>
where
    <A::Command as annals::Command>::State: Send,
{
    let retries = Arc::new(AtomicU64::new(0));
    let counter = retries.clone();
    // Just a counter: nothing else is ordered by it.
    let policy = RetryPolicy::new().on_retry(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let executor = Executor::new(store.clone()).retry(policy);
    let work = Executing { asking, executor };
    let numbers = Numbers::shared(commands.asked.commands());
    let meter = Meter::start();
    let outcome = callers::run(work, numbers, commands.asked.callers(), commands.rate)?;
    Ok((outcome, retries.load(Ordering::Relaxed), meter.stop()))
}

fn measured(
    commands: &Commands,
    outcome: Outcome,
    retries: u64,
    spent: &Spent,
    digest: String,
) -> Measured {
    let asked = commands.asked.commands();
    let given_up = outcome.given_up;
    let expected = commands.asked.plan().end_state_without(|number| given_up.contains(&number));
    let backend = commands.backend.to_possible_value();
    Measured {
        backend: backend.map_or_else(String::new, |value| value.get_name().to_owned()),
        workload: commands.asked.name(),
        callers: commands.asked.callers(),
        counts: Counts { asked, ..outcome.counts },
        attempts: Some(asked + retries),
        events: outcome.events,
        seconds: spent.seconds,
        cpu_seconds: spent.cpu_seconds,
        server_cpu_seconds: spent.server_cpu_seconds,
        written_bytes: spent.written_bytes,
        syncs: None,
        peak_memory_bytes: spent.peak_memory_bytes,
        latency: outcome.latency,
        digest,
        expected_digest: expected.digest(),
        notes: outcome.failure.into_iter().collect(),
    }
}

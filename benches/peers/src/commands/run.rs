//! One run of a workload on a backend.

use std::sync::Arc;

use annals_bench::report::{
    Measured, Meter,
    plan::{EndState, Workload},
};
use eventcore_fs::FileEventStore;
use eventcore_memory::InMemoryEventStore;
use eventcore_types::{EventReader, EventStore, EventStoreError};
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    arguments::{Backend, Commands},
    callers::{Callers, Retries},
    database::Database,
    money::AccountEvent,
    shop::ShopEvent,
    store, verify,
};
use crate::{
    error::PeersError,
    system::Failure,
    systems::{self, Happened},
};

/// Runs it, and returns its row.
///
/// # Errors
/// [`PeersError`]: the backend cannot be opened, or does not hold what it acknowledged.
pub(crate) fn run(commands: &Commands) -> Result<Measured, PeersError> {
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(PeersError::Runtime)?;
    let measured = runtime.block_on(measured(commands))?;
    measured.check().map_err(annals_bench::BenchError::from)?;
    Ok(measured)
}

async fn measured(commands: &Commands) -> Result<Measured, PeersError> {
    let on = |source: Failure| PeersError::Backend { backend: commands.backend.name(), source };
    // Before anything is made.
    let signals = Signals::listen()?;
    match commands.backend {
        Backend::Memory => signals.or(on_store(InMemoryEventStore::new(), commands)).await,
        Backend::Sqlite => {
            let directory = directory(commands)?;
            let store = systems::sqlite_store(directory.path()).await.map_err(on)?;
            signals.or(on_store(store, commands)).await
        }
        Backend::Files => {
            let directory = directory(commands)?;
            let store = FileEventStore::open(directory.path().join("events"));
            let store = store.map_err(|error| on(error.into()))?;
            signals.or(on_store(store, commands)).await
        }
        Backend::Postgres => on_postgres(commands, signals).await,
    }
}

/// A directory that is gone when it is dropped.
fn directory(commands: &Commands) -> Result<TempDir, PeersError> {
    let make = || {
        std::fs::create_dir_all(&commands.dir)?;
        tempfile::Builder::new().prefix("annals-peers-").tempdir_in(&commands.dir)
    };
    make().map_err(|source| PeersError::Directory { directory: commands.dir.clone(), source })
}

async fn on_postgres(commands: &Commands, signals: Signals) -> Result<Measured, PeersError> {
    let connection = commands.postgres.as_deref().unwrap_or_default();
    let database = Database::create(connection).await?;
    let measured = signals.or(in_database(&database, commands)).await;
    // Nothing is left on the server, whatever came of the run.
    let dropped = database.drop().await;
    let measured = measured?;
    dropped.map(|()| measured)
}

async fn in_database(database: &Database, commands: &Commands) -> Result<Measured, PeersError> {
    let backend = commands.backend.name();
    let (store, pool) = database
        .store(commands.connections)
        .await
        .map_err(|source| PeersError::Backend { backend, source })?;
    let mut measured = on_store(store, commands).await?;
    pool.close().await;
    measured.notes.push(format!("{} connections, all made before", commands.connections));
    Ok(measured)
}

/// Ctrl-C and `kill`.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on they no longer end this process.
    fn listen() -> Result<Self, PeersError> {
        let listen = |kind| signal(kind).map_err(PeersError::Runtime);
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: listen(SignalKind::terminate())? })
    }

    /// Has them end a run as an error does: what it made is removed.
    async fn or(
        mut self,
        run: impl Future<Output = Result<Measured, PeersError>>,
    ) -> Result<Measured, PeersError> {
        tokio::select! {
            measured = run => measured,
            _ = self.interrupt.recv() => Err(PeersError::Interrupted),
            _ = self.terminate.recv() => Err(PeersError::Interrupted),
        }
    }
}

pub(super) async fn on_store<S>(store: S, commands: &Commands) -> Result<Measured, PeersError>
where
    S: EventStore + EventReader<Error = EventStoreError> + Send + Sync + 'static,
{
    let on = |source: Failure| PeersError::Backend { backend: commands.backend.name(), source };
    let (store, asked, plan) = (Arc::new(store), &commands.asked, commands.asked.plan());
    let retries = Retries::default();
    let policy = commands.retry.policy().with_metrics_hook(retries.clone());
    eprintln!("{} on {}: {} commands", asked.name(), commands.backend.name(), plan.commands());
    let prepared = store::prepare(&*store, &plan).await.map_err(on)?;
    let callers = Callers::new(asked);
    let meter = Meter::start();
    let told = callers.ask(&store, &policy).await.map_err(on)?;
    let spent = meter.stop();
    eprintln!("reading all streams");
    let found = end_state(&*store, &plan).await.map_err(on)?;
    let expected = plan.end_state_without(|number| told.given_up.binary_search(&number).is_ok());
    // What failed may have happened nevertheless.
    if let Some(difference) = found.difference(&expected).filter(|_| told.counts.failed == 0) {
        return Err(PeersError::Unequal { backend: commands.backend.name(), difference });
    }
    let mut notes = vec![commands.backend.promise().to_owned()];
    notes.push(match plan {
        Workload::Batch(_) => "through the store's own append: no command, no reading".to_owned(),
        _ => commands.retry.note(),
    });
    notes.extend(told.first_failure.map(|failure| format!("the first failure: {failure}")));
    Ok(Measured {
        backend: commands.backend.name(),
        workload: asked.name(),
        callers: asked.callers(),
        counts: told.counts,
        attempts: Some(told.counts.asked + retries.count()),
        events: found.events().saturating_sub(prepared),
        seconds: spent.seconds,
        cpu_seconds: spent.cpu_seconds,
        server_cpu_seconds: spent.server_cpu_seconds,
        written_bytes: spent.written_bytes,
        // EventCore does not count them, and nobody else in this process can.
        syncs: None,
        peak_memory_bytes: spent.peak_memory_bytes,
        latency: told.latency,
        digest: found.digest(),
        expected_digest: expected.digest(),
        notes,
    })
}

async fn end_state<S>(store: &S, plan: &Workload) -> Result<EndState, Failure>
where
    S: EventStore + EventReader<Error = EventStoreError>,
{
    match plan {
        Workload::Financial(_) => verify::end_state::<AccountEvent, S>(store).await,
        Workload::Orders(_) => verify::end_state::<ShopEvent, S>(store).await,
        Workload::Batch(_) => verify::end_state::<Happened, S>(store).await,
    }
}

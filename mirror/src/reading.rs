//! Connections that read. Each takes all reads that wait, and asks for them in one query.

use std::{pin::pin, sync::Arc, time::Duration};

use annals_event::{Committed, EventId, Position, ReadFrom, Snapshot, StreamVersion, Versions};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    error::StoreError,
    lane::{Lane, Text},
    outcome,
    rows::{self, get, signed, unsigned},
    types::Uuid,
};

/// Several streams, each as of a position, in one query and thus of one moment: where the log
/// ends, the version of the stream then, its events after a version.
///
/// `OFFSET 0` keeps the last join apart: as part of the whole it would be planned as a look at every
/// event of the stream.
const READ_STREAMS: &str = "
    SELECT a.n::int4, h.head, coalesce(v.version, 0), e.position, e.version, e.time, e.type,
        e.codec, e.schema_version, e.payload, e.metadata, e.tags, e.id
    FROM unnest($1, $2, $3) WITH ORDINALITY AS a (name, after, at, n)
    CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM events) h
    LEFT JOIN streams s ON s.name = a.name
    LEFT JOIN LATERAL (
        SELECT x.version FROM events x WHERE x.stream = s.number AND x.position <= a.at
        ORDER BY x.version DESC LIMIT 1
    ) v ON true
    LEFT JOIN LATERAL (
        SELECT x.* FROM events x
        WHERE x.stream = s.number AND x.version > a.after AND x.version <= v.version OFFSET 0
    ) e ON true";

/// The statements of the connection.
pub(crate) const TEXTS: &[Text] = &[
    (READ_STREAMS, &[Type::TEXT_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY]),
    (outcome::FIND_ID, &[Type::UUID]),
];

/// So long a connection has the reading for itself, so that what comes meanwhile goes together with
/// its next query. Then another one may begin.
const ALONE: Duration = Duration::from_millis(5);

const READ: usize = 0;
const FIND_ID: usize = 1;

/// What is asked.
#[derive(Debug)]
pub(crate) enum Job {
    /// For streams.
    Read(Read),
    /// For the commit with an event that has this id.
    Find(EventId, oneshot::Sender<Result<Option<Committed>, StoreError>>),
}

/// A read that wants an answer.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) streams: Vec<ReadFrom>,
    pub(crate) at: Option<Position>,
    pub(crate) answer: oneshot::Sender<Result<Snapshot, StoreError>>,
}

/// A connection that reads.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) lane: Lane,
    pub(crate) log: EventId,
    pub(crate) gathered_max: usize,
}

impl Reader {
    /// Reads until nobody can ask any more.
    pub(crate) async fn run(mut self, jobs: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>) {
        // Where nothing is gathered, nothing is to wait for.
        let alone = if self.gathered_max > 1 { ALONE } else { Duration::ZERO };
        loop {
            let mut taken = Vec::new();
            let mut turn = jobs.lock().await;
            if turn.recv_many(&mut taken, self.gathered_max).await == 0 {
                return;
            }
            let mut answering = pin!(self.answer_all(taken));
            if timeout(alone, &mut answering).await.is_err() {
                drop(turn);
                answering.await;
            }
        }
    }

    async fn answer_all(&mut self, taken: Vec<Job>) {
        let mut reads = Vec::with_capacity(taken.len());
        for job in taken {
            match job {
                Job::Read(read) => reads.push(read),
                // Nobody may be waiting any more.
                Job::Find(id, answer) => drop(answer.send(self.find(id).await)),
            }
        }
        reads.retain(|read| !read.answer.is_closed());
        if !reads.is_empty() {
            self.answer(reads).await;
        }
    }

    async fn answer(&mut self, reads: Vec<Read>) {
        match self.read(&reads).await {
            Ok(snapshots) => {
                for (read, snapshot) in reads.into_iter().zip(snapshots) {
                    drop(read.answer.send(Ok(snapshot)));
                }
            }
            Err(error) => {
                for read in reads {
                    drop(read.answer.send(Err(error.clone())));
                }
            }
        }
    }

    async fn find(&mut self, id: EventId) -> Result<Option<Committed>, StoreError> {
        let id = Uuid::from(id);
        let parameters: [&(dyn ToSql + Sync); 1] = [&id];
        let rows = self.lane.query(FIND_ID, &parameters, &parameters).await?;
        Ok(outcome::commit(self.log, &rows)?.and_then(|found| found.committed))
    }

    async fn read(&mut self, jobs: &[Read]) -> Result<Vec<Snapshot>, StoreError> {
        let (mut names, mut after, mut at) = (Vec::new(), Vec::new(), Vec::new());
        let mut asked: Vec<(usize, Option<&ReadFrom>)> = Vec::new();
        for (number, job) in jobs.iter().enumerate() {
            // One row at least, so that the position is told.
            let alone = job.streams.is_empty().then_some(None);
            for from in job.streams.iter().map(Some).chain(alone) {
                asked.push((number, from));
                names.push(from.map(|from| from.stream.as_str()));
                after.push(from.map_or(0, |from| signed(from.after.get())));
                at.push(job.at.map_or(i64::MAX, |at| signed(at.get())));
            }
        }
        let parameters: [&(dyn ToSql + Sync); 3] = [&names, &after, &at];
        let rows = self.lane.query(READ, &parameters, &parameters).await?;
        let mut snapshots: Vec<Snapshot> = jobs
            .iter()
            .map(|job| Snapshot {
                position: Position::ZERO,
                versions: Versions::from_elem(StreamVersion::ZERO, job.streams.len()),
                events: Vec::new(),
            })
            .collect();
        let firsts = firsts(&asked);
        for row in &rows {
            let number: i32 = get(row, 0)?;
            let place = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
            let Some((job, from)) = asked.get(place) else { continue };
            let within = place - firsts.get(*job).copied().unwrap_or_default();
            let at = jobs.get(*job).and_then(|job| job.at);
            if let Some(snapshot) = snapshots.get_mut(*job) {
                take(self.log, row, at, from.map(|from| (from, within)), snapshot)?;
            }
        }
        for snapshot in &mut snapshots {
            snapshot.events.sort_by_key(|event| event.position);
        }
        Ok(snapshots)
    }
}

/// Where each job's streams begin.
fn firsts(asked: &[(usize, Option<&ReadFrom>)]) -> Vec<usize> {
    let mut firsts = Vec::new();
    for (place, (job, _)) in asked.iter().enumerate() {
        if *job == firsts.len() {
            firsts.push(place);
        }
    }
    firsts
}

/// Puts a row where it belongs.
fn take(
    log: EventId,
    row: &Row,
    at: Option<Position>,
    from: Option<(&ReadFrom, usize)>,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    let head = Position::new(unsigned(get(row, 1)?));
    snapshot.position = at.map_or(head, |at| at.min(head));
    let Some((from, within)) = from else { return Ok(()) };
    if let Some(version) = snapshot.versions.get_mut(within) {
        *version = StreamVersion::new(unsigned(get(row, 2)?));
    }
    if get::<Option<i64>>(row, 3)?.is_some() {
        snapshot.events.push(rows::event(row, 3, from.stream.clone(), log)?);
    }
    Ok(())
}

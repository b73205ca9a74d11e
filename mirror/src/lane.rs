//! A connection that is made again when it is lost.

use std::sync::Arc;

use tokio::time::{Instant, sleep};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    connection::{self, Connection, Query},
    error::{ConnectError, Failure},
    settings::Settings,
};

/// The text of a statement and the types of its parameters.
pub(crate) type Text = (&'static str, &'static [Type]);

/// A connection with its statements. It is made again when it is lost.
#[derive(Debug)]
pub(crate) struct Lane {
    settings: Arc<Settings>,
    texts: &'static [Text],
    ready: Option<(Connection, Vec<Query>)>,
}

/// Why a statement gave no rows.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was never sent.
    Unsent(ConnectError),
    /// It was sent at least once, and nobody knows what came of it.
    Unknown(Failure),
    /// The server refused it: nothing happened.
    Refused(Failure),
}

impl Lane {
    /// Connects.
    pub(crate) async fn open(
        settings: &Arc<Settings>,
        texts: &'static [Text],
    ) -> Result<Self, ConnectError> {
        let mut lane = Self { settings: settings.clone(), texts, ready: None };
        lane.connect().await?;
        Ok(lane)
    }

    async fn connect(&mut self) -> Result<(), ConnectError> {
        if self.ready.as_ref().is_some_and(|(connection, _)| !connection.client.is_closed()) {
            return Ok(());
        }
        self.ready = None;
        let connection = Connection::open(&self.settings, None).await?;
        let mut queries = Vec::with_capacity(self.texts.len());
        for (text, types) in self.texts {
            queries.push(connection.statement(&self.settings, text, types).await?);
        }
        self.ready = Some((connection, queries));
        Ok(())
    }

    /// Sends a statement until the server answers or the patience ends. `parameters` are asked
    /// for each time: whether it was sent before is told.
    pub(crate) async fn query<'p>(
        &mut self,
        number: usize,
        first: &'p [&'p (dyn ToSql + Sync)],
        again: &'p [&'p (dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Unanswered> {
        let deadline = Instant::now() + self.settings.patience;
        let (mut parameters, mut lost, mut attempt) = (first, None, 0);
        loop {
            let unanswered = match self.attempt(number, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(unanswered) => unanswered,
            };
            let is_passing = match &unanswered {
                Unanswered::Unsent(error) => error.is_passing(),
                Unanswered::Unknown(_) => true,
                Unanswered::Refused(_) => return Err(unanswered),
            };
            if let Unanswered::Unknown(failure) = &unanswered {
                self.ready = None;
                parameters = again;
                lost = Some(failure.clone());
            }
            if !is_passing || Instant::now() >= deadline {
                return Err(lost.map_or(unanswered, Unanswered::Unknown));
            }
            sleep(connection::backoff(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &mut self,
        number: usize,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Unanswered> {
        self.connect().await.map_err(Unanswered::Unsent)?;
        self.send(number, parameters).await.map_err(|failure| {
            if failure.is_passing() {
                Unanswered::Unknown(failure)
            } else {
                Unanswered::Refused(failure)
            }
        })
    }

    async fn send(
        &self,
        number: usize,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        // It has just been made.
        let Some((connection, queries)) = &self.ready else { return Ok(Vec::new()) };
        let Some(query) = queries.get(number) else { return Ok(Vec::new()) };
        connection.query(query, parameters).await
    }
}

//! One connection: made, checked, and set up so that the same query has the same plan every time.

use std::time::Duration;

use tokio_postgres::{
    AsyncMessage, Client, NoTls, Notification, Statement,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::{
    error::{ConnectError, Failure},
    settings::{Settings, Tls},
    tls,
};

/// A connection that can be used.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
}

/// A statement: prepared, or sent anew each time.
#[derive(Debug)]
pub(crate) enum Query {
    Prepared(Statement),
    Text(&'static str, &'static [Type]),
}

/// What is told of notifications.
pub(crate) type OnNotification = Box<dyn FnMut(Notification) + Send>;

/// Nothing but names, and no plans by guess: queries here look rows up by index, whatever the
/// statistics say of a table that was empty a minute ago.
const SET_UP: &str = "SELECT set_config('search_path', quote_ident($1) || ', pg_temp', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('jit', 'off', false),
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('client_min_messages', 'warning', false)";

const LOOK: &str =
    "SELECT current_setting('server_version_num'), current_setting('server_version'),
    current_setting('server_encoding')";

impl Connection {
    /// Connects; notifications go to whom they are for.
    pub(crate) async fn open(
        settings: &Settings,
        on_notification: Option<OnNotification>,
    ) -> Result<Self, ConnectError> {
        let client = match &settings.tls {
            Tls::Off => {
                let (client, connection) =
                    settings.config.connect(NoTls).await.map_err(|e| not_connected(settings, e))?;
                tokio::spawn(drive(connection, on_notification));
                client
            }
            Tls::VerifyFull { authorities } => {
                let connector = tls::connector(authorities.as_deref())?;
                let connected = settings.config.connect(connector).await;
                let (client, connection) = connected.map_err(|e| not_connected(settings, e))?;
                tokio::spawn(drive(connection, on_notification));
                client
            }
        };
        let connection = Self { client };
        connection.check(settings).await?;
        Ok(connection)
    }

    async fn check(&self, settings: &Settings) -> Result<(), ConnectError> {
        let refused = |error| refused(settings, error);
        let row = self.client.query_typed_one(LOOK, &[]).await.map_err(refused)?;
        let number: String = row.try_get(0).map_err(refused)?;
        if number.parse().is_ok_and(|number: u32| number < 140_000) {
            return Err(ConnectError::TooOld { version: row.try_get(1).map_err(refused)? });
        }
        let encoding: String = row.try_get(2).map_err(refused)?;
        if encoding != "UTF8" {
            return Err(ConnectError::Encoding { encoding });
        }
        self.client
            .query_typed(SET_UP, &[(&settings.schema, Type::TEXT)])
            .await
            .map_err(refused)?;
        Ok(())
    }

    /// A statement, prepared if that is wanted.
    pub(crate) async fn statement(
        &self,
        settings: &Settings,
        text: &'static str,
        types: &'static [Type],
    ) -> Result<Query, ConnectError> {
        if !settings.is_prepared {
            return Ok(Query::Text(text, types));
        }
        let prepared = self.client.prepare_typed(text, types).await;
        prepared.map(Query::Prepared).map_err(|error| refused(settings, error))
    }

    /// The rows of a statement.
    pub(crate) async fn query(
        &self,
        query: &Query,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let rows = match query {
            Query::Prepared(statement) => self.client.query(statement, parameters).await,
            Query::Text(text, types) => {
                let parameters = parameters.iter().copied().zip(types.iter().cloned());
                self.client.query_typed(text, &parameters.collect::<Vec<_>>()).await
            }
        };
        rows.map_err(Failure::from)
    }
}

/// Runs a connection to its end.
async fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    mut on_notification: Option<OnNotification>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                if let Some(tell) = &mut on_notification {
                    tell(notification);
                }
            }
            Some(Ok(AsyncMessage::Notice(notice))) => {
                tracing::warn!(message = notice.message(), "Postgres says");
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to Postgres was lost");
                return;
            }
            None => return,
        }
    }
}

/// Why there is no connection.
fn not_connected(settings: &Settings, error: tokio_postgres::Error) -> ConnectError {
    let server = settings.server();
    let is_tls = matches!(settings.tls, Tls::VerifyFull { .. });
    let source = Failure::from(error);
    match source.code() {
        Some(code) if code.starts_with("28") || code == "3D000" => {
            ConnectError::Refused { server, user: settings.user(), source }
        }
        Some(_) => ConnectError::Server { server, source },
        None if is_tls && source.is_of_tls() => ConnectError::Tls { server, source },
        None if source.is_of_authentication() => {
            ConnectError::Refused { server, user: settings.user(), source }
        }
        None => ConnectError::Unreachable { server, source },
    }
}

/// Why the server does not do what is needed before anything can be done.
pub(crate) fn refused(settings: &Settings, error: tokio_postgres::Error) -> ConnectError {
    let is_unknown =
        matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_FUNCTION));
    let source = Failure::from(error);
    let schema = settings.schema.clone();
    if is_unknown {
        return ConnectError::NotInitialized { schema };
    }
    if source.is_missing_right() {
        return ConnectError::MissingRight {
            user: settings.user(),
            schema,
            what: source.to_string(),
        };
    }
    ConnectError::Server { server: settings.server(), source }
}

/// How long to wait before trying again, the `attempt`th time.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(10 << attempt.min(6))
}

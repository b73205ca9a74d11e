//! A database of a run's own on a Postgres server.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use eventcore_postgres::PostgresEventStore;
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{error::PeersError, system::Failure};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database of a run's own. [`Database::drop`] removes it.
#[derive(Debug)]
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Makes one.
    pub(crate) async fn create(connection: &str) -> Result<Self, PeersError> {
        let server = options(connection)?;
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let name = format!("annals_peers_{}_{since:x}", std::process::id());
        // The other template is refused while somebody is connected to it.
        execute(&server, &format!("CREATE DATABASE {name} TEMPLATE template0")).await?;
        Ok(Self { server, name })
    }

    /// Connects EventCore to it, with all connections made, and has it make its tables.
    pub(crate) async fn store(
        &self,
        connections: NonZeroU32,
    ) -> Result<(PostgresEventStore, PgPool), Failure> {
        let pool = PgPoolOptions::new()
            .min_connections(connections.get())
            .max_connections(connections.get())
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(self.server.clone().database(&self.name))
            .await?;
        let store = PostgresEventStore::from_pool(pool.clone());
        let migrating = store.clone();
        // It panics where others return an error.
        let migrated = tokio::spawn(async move { migrating.migrate().await }).await;
        migrated.map_err(|_| "its migration panicked")?;
        Ok((store, pool))
    }

    /// Removes it with everything in it, whoever is connected.
    pub(crate) async fn drop(self) -> Result<(), PeersError> {
        execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

/// Executes a statement whose text is this file's own.
async fn execute(server: &PgConnectOptions, statement: &str) -> Result<(), PeersError> {
    let run = async {
        let mut connection = PgConnection::connect_with(server).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    };
    let timed_out = || Err(sqlx::Error::PoolTimedOut);
    let ended = tokio::time::timeout(PATIENCE, run).await.unwrap_or_else(|_| timed_out());
    ended.map_err(|source| {
        let (host, port) = (server.get_host().to_owned(), server.get_port());
        PeersError::Server { host, port, source: Box::new(source) }
    })
}

/// Reads `postgres://...`, or words like `host=...`, of which the password is never shown.
fn options(connection: &str) -> Result<PgConnectOptions, PeersError> {
    let wrong = |what: String| PeersError::Connection { what };
    if connection.contains("://") {
        return connection.parse().map_err(|error: sqlx::Error| wrong(error.to_string()));
    }
    let mut options = PgConnectOptions::new_without_pgpass();
    for word in connection.split_whitespace() {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            wrong("a word of it is not like host=..., user=..., dbname=...".to_owned())
        })?;
        options = match key {
            "host" => options.host(value),
            "port" => {
                let port = value.parse().map_err(|_| wrong(format!("{value:?} is no port")))?;
                options.port(port)
            }
            "user" => options.username(value),
            "password" => options.password(value),
            "dbname" => options.database(value),
            _ => return Err(wrong(format!("{key:?} is not known here; use postgres://..."))),
        };
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_read_in_both_ways() {
        for text in [
            "host=/run/sock port=5433 user=owner dbname=postgres",
            "postgres://owner@%2Frun%2Fsock:5433/postgres",
        ] {
            let options = options(text).unwrap();
            assert_eq!((options.get_port(), options.get_database()), (5433, Some("postgres")));
            assert_eq!(options.get_username(), "owner");
            assert!(format!("{options:?}").contains("/run/sock"), "{options:?}");
        }
    }

    #[test]
    fn what_is_no_connection_is_refused_without_the_password() {
        let error = |text: &str| options(text).unwrap_err().to_string();
        assert!(error("host=here password=secret ssl=yes").contains("\"ssl\" is not known"));
        assert!(error("host=here secret").contains("not like host="));
        assert!(error("port=http").contains("\"http\" is no port"));
        for text in
            ["host=here password=secret ssl=yes", "secret", "postgres://me:secret@here:port/x"]
        {
            assert!(!error(text).contains("secret"), "{}", error(text));
        }
    }
}

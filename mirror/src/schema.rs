//! The tables: made, brought to the newest version, looked at.

use annals_event::EventId;
use tokio_postgres::{
    Row,
    types::{FromSqlOwned, ToSql, Type},
};

use crate::{
    connection::{self, Connection},
    error::ConnectError,
    runtime::Runtime,
    settings::Settings,
    types::Uuid,
};

/// What a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Events are appended to it: a [`PostgresStore`](crate::PostgresStore).
    Store,
    /// It follows the embedded log with this id.
    Mirror {
        /// The log's id: what [`Store::derived_id`](annals_event::Store::derived_id) says of
        /// position 0.
        log: EventId,
    },
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Mirror { .. } => "mirror",
        }
    }
}

/// What makes version 1 from nothing, version 2 from version 1, and so on.
const MIGRATIONS: &[&str] = &[include_str!("../sql/1.sql"), include_str!("../sql/2.sql")];

/// Makes the schema and its tables, or brings them to this program's version. What is as it should
/// be stays as it is.
///
/// # Errors
/// [`ConnectError`]: no connection, no right to make tables, or something else is in the schema:
/// other tables, another role, another log, a newer version.
pub fn init(settings: &Settings, role: Role) -> Result<(), ConnectError> {
    let settings = settings.clone();
    Runtime::new(1)?.run(async move {
        let settings = &settings;
        let connection = Connection::open(settings, None).await?;
        let refused = |error| connection::refused(settings, error);
        connection.client.batch_execute("BEGIN").await.map_err(refused)?;
        // An error ends the connection, and with it the transaction.
        make(&connection, settings, role).await?;
        connection.client.batch_execute("COMMIT").await.map_err(refused)
    })
}

async fn make(
    connection: &Connection,
    settings: &Settings,
    role: Role,
) -> Result<(), ConnectError> {
    let refused = |error| connection::refused(settings, error);
    let client = &connection.client;
    // Who makes the same tables at the same time waits.
    client
        .batch_execute("SELECT pg_advisory_xact_lock(7020584497163923809)")
        .await
        .map_err(refused)?;
    let set = "SELECT set_config('annals.schema', $1, true)";
    client.query_typed(set, &[(&settings.schema, Type::TEXT)]).await.map_err(refused)?;
    client
        .batch_execute(
            "DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_namespace
                               WHERE nspname = current_setting('annals.schema')) THEN
                    EXECUTE format('CREATE SCHEMA %I', current_setting('annals.schema'));
                END IF;
            END $$",
        )
        .await
        .map_err(refused)?;
    let version = if let Some(found) = Found::of(connection, settings).await? {
        found.check_role(settings, role)?;
        found.version
    } else {
        check_empty(connection, settings).await?;
        0
    };
    let known = known_version();
    if version > known {
        let schema = settings.schema.clone();
        return Err(ConnectError::SchemaVersion { schema, found: version, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or_default()) {
        client.batch_execute(migration).await.map_err(refused)?;
    }
    let log = match role {
        Role::Store => None,
        Role::Mirror { log } => Some(Uuid::from(log)),
    };
    let note = "INSERT INTO annals_schema (version, role, log)
        VALUES ($1, $2, coalesce($3, gen_random_uuid()))
        ON CONFLICT (one) DO UPDATE SET version = excluded.version";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&known, Type::INT4), (&role.name(), Type::TEXT), (&log, Type::UUID)];
    client.execute_typed(note, &parameters).await.map_err(refused)?;
    let begin = "INSERT INTO mirrored (position) SELECT 0 FROM annals_schema WHERE role = 'mirror'
        ON CONFLICT (one) DO NOTHING";
    client.batch_execute(begin).await.map_err(refused)?;
    Ok(())
}

/// Makes a view of each event type that there is, in the schema itself: `"type_Deposited"`. Only
/// who made the tables may do so. Returns how many types there are.
///
/// # Errors
/// [`ConnectError`]: no connection, no tables, or no right.
pub fn make_views(settings: &Settings) -> Result<u64, ConnectError> {
    let settings = settings.clone();
    Runtime::new(1)?.run(async move {
        let connection = Connection::open(&settings, None).await?;
        let row = connection.client.query_typed_one("SELECT make_views()", &[]).await;
        let row = row.map_err(|error| connection::refused(&settings, error))?;
        Ok(u64::try_from(get::<i64>(&settings, &row, 0)?).unwrap_or_default())
    })
}

fn known_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// What a schema says of itself.
#[derive(Debug)]
pub(crate) struct Found {
    version: i32,
    role: String,
    pub(crate) log: EventId,
}

impl Found {
    /// `None`: there are no tables of Annals.
    async fn of(
        connection: &Connection,
        settings: &Settings,
    ) -> Result<Option<Self>, ConnectError> {
        let refused = |error| connection::refused(settings, error);
        let there = "SELECT to_regclass('annals_schema') IS NOT NULL";
        let row = connection.client.query_typed_one(there, &[]).await.map_err(refused)?;
        if !get::<bool>(settings, &row, 0)? {
            return Ok(None);
        }
        let row = "SELECT version, role, log FROM annals_schema";
        let row = connection.client.query_typed_opt(row, &[]).await.map_err(refused)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            version: get(settings, &row, 0)?,
            role: get(settings, &row, 1)?,
            log: get::<Uuid>(settings, &row, 2)?.into(),
        }))
    }

    fn check_role(&self, settings: &Settings, role: Role) -> Result<(), ConnectError> {
        let schema = settings.schema.clone();
        if self.role != role.name() {
            let (found, expected) = (self.role.clone(), role.name());
            return Err(ConnectError::WrongRole { schema, found, expected });
        }
        match role {
            Role::Mirror { log } if log != self.log => {
                Err(ConnectError::WrongLog { schema, found: self.log, expected: log })
            }
            _ => Ok(()),
        }
    }
}

/// Looks whether a schema is what it should be, and says what it says of itself. `role` may be
/// left open.
pub(crate) async fn look(
    connection: &Connection,
    settings: &Settings,
    role: Role,
) -> Result<Found, ConnectError> {
    let Some(found) = Found::of(connection, settings).await? else {
        check_empty(connection, settings).await?;
        return Err(ConnectError::NotInitialized { schema: settings.schema.clone() });
    };
    let known = known_version();
    if found.version != known {
        let (schema, found) = (settings.schema.clone(), found.version);
        return Err(ConnectError::SchemaVersion { schema, found, known });
    }
    found.check_role(settings, role)?;
    Ok(found)
}

async fn check_empty(connection: &Connection, settings: &Settings) -> Result<(), ConnectError> {
    let relations = "SELECT c.relname::text, has_schema_privilege(n.oid, 'USAGE') FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 ORDER BY 1 LIMIT 1";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&settings.schema, Type::TEXT)];
    let row = connection.client.query_typed_opt(relations, &parameters).await;
    match row.map_err(|error| connection::refused(settings, error))? {
        None => Ok(()),
        Some(row) if !get::<bool>(settings, &row, 1)? => Err(ConnectError::MissingRight {
            user: settings.user(),
            schema: settings.schema.clone(),
            what: "USAGE of the schema".to_owned(),
        }),
        Some(row) => Err(ConnectError::ForeignSchema {
            schema: settings.schema.clone(),
            relation: get(settings, &row, 0)?,
        }),
    }
}

fn get<T: FromSqlOwned>(settings: &Settings, row: &Row, column: usize) -> Result<T, ConnectError> {
    row.try_get(column).map_err(|error| connection::refused(settings, error))
}

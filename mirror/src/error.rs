//! How Postgres fails, as data.

use std::{error::Error, fmt, io, sync::Arc};

use annals_engine::ReadError;
use annals_event::{EventId, InvalidAppend, Position, StreamId};
use tokio_postgres::error::SqlState;

/// What the server or the way to it said.
#[derive(Debug, Clone)]
pub struct Failure(Arc<tokio_postgres::Error>);

impl Failure {
    /// The server's code of the error, five characters; `None` if the server did not say it.
    pub fn code(&self) -> Option<&str> {
        self.0.code().map(SqlState::code)
    }

    /// Whether the server may answer when it is asked again: the connection was lost, or the
    /// server restarts.
    pub(crate) fn is_passing(&self) -> bool {
        let Some(code) = self.code() else { return self.is_connection_lost() };
        // Connection exceptions; a shutdown, a crash, a start; deadlock and serialization.
        code.starts_with("08") || code.starts_with("57P") || matches!(code, "40001" | "40P01")
    }

    fn is_connection_lost(&self) -> bool {
        self.0.is_closed() || self.io_error().is_some_and(|error| !is_of_rustls(error))
    }

    fn io_error(&self) -> Option<&io::Error> {
        self.0.source().and_then(|source| source.downcast_ref())
    }

    /// Whether an encrypted connection could not be agreed on.
    pub(crate) fn is_of_tls(&self) -> bool {
        self.io_error().is_some_and(is_of_rustls) || self.0.to_string().contains("TLS")
    }

    /// Whether this side could not prove who it is. The driver tells these by their text alone.
    pub(crate) fn is_of_authentication(&self) -> bool {
        let text = self.0.to_string();
        text == "authentication error" || text == "invalid configuration"
    }

    /// Whether a value is one that the server cannot hold.
    pub(crate) fn is_of_data(&self) -> bool {
        self.code().is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
    }

    /// Whether the server says that a right is missing.
    pub(crate) fn is_missing_right(&self) -> bool {
        self.0.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }
}

fn is_of_rustls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(said) = self.0.as_db_error() {
            return write!(f, "{} ({})", said.message(), said.code().code());
        }
        Chain(&*self.0).fmt(f)
    }
}

impl Error for Failure {}

/// An error with what is behind it.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Why there is no connection to use.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connection string says nothing that can be done.
    #[error("the connection string is not usable: {what}")]
    Settings {
        /// What is wrong with it.
        what: String,
    },
    /// Nobody answers.
    #[error(
        "cannot reach Postgres at {server}: {source}; is it running, and is the address right?"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// What happened.
        source: Failure,
    },
    /// The server does not let this user in.
    #[error(
        "Postgres at {server} does not let {user:?} in: {source}; check user, password and pg_hba.conf"
    )]
    Refused {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// What the server said.
        source: Failure,
    },
    /// There is no encrypted connection to a server whose certificate is good.
    #[error(
        "no TLS with Postgres at {server}: {source}; give its certificate authority as \
         `sslrootcert`, and the host by the name in its certificate"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// What happened.
        source: Failure,
    },
    /// The certificates to trust cannot be used.
    #[error("no certificates to trust in {place}: {what}; give a PEM file as `sslrootcert`")]
    Certificates {
        /// The file, or the system's own.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// The role lacks a right.
    #[error(
        "the role {user:?} lacks a right in schema {schema:?}: {what}; see docs/postgres.md for the grants"
    )]
    MissingRight {
        /// The role.
        user: String,
        /// The schema.
        schema: String,
        /// What the server said, or the right.
        what: String,
    },
    /// The server is older than what this crate was made for.
    #[error("the server is Postgres {version}; 14 or later is needed")]
    TooOld {
        /// The server's version.
        version: String,
    },
    /// The database cannot hold every name.
    #[error("the database has the encoding {encoding}; make one with ENCODING 'UTF8'")]
    Encoding {
        /// The database's encoding.
        encoding: String,
    },
    /// Nobody has made the tables yet.
    #[error(
        "schema {schema:?} has no tables of Annals yet; make them with `annals-mirror init` or `annals_postgres::init`"
    )]
    NotInitialized {
        /// The schema.
        schema: String,
    },
    /// There is something else in the schema.
    #[error(
        "schema {schema:?} holds {relation:?}, which is not of Annals; name a schema that is empty or does not exist"
    )]
    ForeignSchema {
        /// The schema.
        schema: String,
        /// Something that is in it.
        relation: String,
    },
    /// The tables are of another version than this crate's.
    #[error("the tables in schema {schema:?} have version {found}, this program knows {known}; {}", if found > known { "use a newer program" } else { "run init" })]
    SchemaVersion {
        /// The schema.
        schema: String,
        /// What was found.
        found: i32,
        /// What this crate makes.
        known: i32,
    },
    /// A store was expected and a mirror found, or the other way about.
    #[error("schema {schema:?} is a {found}, not a {expected}; name another schema")]
    WrongRole {
        /// The schema.
        schema: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The schema mirrors another log.
    #[error("schema {schema:?} mirrors the log {found}, not {expected}; name another schema")]
    WrongLog {
        /// The schema.
        schema: String,
        /// The log that it mirrors.
        found: EventId,
        /// The log that it should mirror.
        expected: EventId,
    },
    /// The server refused something else.
    #[error("Postgres at {server}: {source}")]
    Server {
        /// Host and port.
        server: String,
        /// What the server said.
        source: Failure,
    },
    /// The threads for the connections could not be made.
    #[error("cannot start threads for connections: {what}")]
    Threads {
        /// What the system said.
        what: String,
    },
}

impl ConnectError {
    /// Whether it may go away by itself.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Server { source, .. } | Self::Tls { source, .. } => source.is_passing(),
            _ => false,
        }
    }
}

/// How the store fails.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No store can take this append; nothing was appended.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// An id of this append names another event already; nothing was appended.
    #[error(
        "the id {id} names the event at position {position} already, which is of a different append; give each event an id of its own"
    )]
    IdInUse {
        /// The id.
        id: EventId,
        /// Where the event is that has it.
        position: Position,
    },
    /// There is no connection; nothing was appended.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection was lost while the append was on its way, and did not come back in time:
    /// it may have happened or not.
    #[error(
        "the outcome of the append is unknown: {0}; look when the server is there again, or repeat it if its events have ids"
    )]
    OutcomeUnknown(Failure),
    /// The server refused; nothing was appended.
    #[error("Postgres refused: {0}")]
    Server(Failure),
    /// A row is not what was written.
    #[error(
        "the event at position {position} is not what was written: {what}; restore the database from a copy"
    )]
    Damaged {
        /// The position of the event.
        position: Position,
        /// What is wrong.
        what: String,
    },
    /// The store's threads have ended; nothing was appended.
    #[error("the store is closed")]
    Closed,
}

/// Why a mirror does not go on. A server that is away is no reason: it is waited for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// There is no mirror of this log to be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    /// The server refused; nothing of the batch was copied.
    #[error("Postgres refused to copy the events after position {after}: {source}")]
    Server {
        /// The last position that was copied.
        after: Position,
        /// What the server said.
        source: Failure,
    },
    /// The mirror has events that the log does not have.
    #[error(
        "the mirror is at position {mirrored} and the log ends at {log}: it was replaced by an older copy; mirror it into another schema"
    )]
    Ahead {
        /// How far the mirror is.
        mirrored: Position,
        /// How far the log is.
        log: Position,
    },
    /// An event cannot be a row: its stream has no beginning in the mirror.
    #[error(
        "the mirror does not have the stream {stream}, whose event at position {position} is to be copied; see with `annals-mirror verify`"
    )]
    Torn {
        /// The stream.
        stream: StreamId,
        /// The event.
        position: Position,
    },
    /// Someone else copied meanwhile.
    #[error("another process copies into the same mirror; one is enough")]
    Moved,
    /// It was stopped.
    #[error("the mirror was stopped")]
    Stopped,
}

//! What is wrong with a server, a database, a role or a schema is said by its name; and nobody
//! changes what has happened.

use std::{process::Command, time::Duration};

use annals::{Append, AppendFailure, NewEvent, StreamId};
use annals_event::Store;
use annals_postgres::{ConnectError, PostgresStore, Role, Settings, StoreError, init};

use crate::{contract::fresh, server::Server};

fn one(stream: &str) -> Append {
    Append::new().event(NewEvent::new(StreamId::new(stream).unwrap(), "Happened", "x").unwrap())
}

fn open(settings: &Settings) -> ConnectError {
    PostgresStore::open(settings.clone()).unwrap_err()
}

pub(crate) fn what_cannot_be_reached_is_named(server: &Server) {
    let nowhere = Settings::parse("host=/nowhere user=owner").unwrap();
    let error = open(&nowhere);
    assert!(
        matches!(&error, ConnectError::Unreachable { server, .. } if server == "/nowhere:5432"),
        "{error:?}"
    );
    let closed = Settings::parse("host=127.0.0.1 port=1 user=owner").unwrap();
    assert!(matches!(open(&closed), ConnectError::Unreachable { .. }));
    let database = server.connection("owner").replace("dbname=postgres", "dbname=none");
    let error = open(&Settings::parse(&database).unwrap());
    assert!(matches!(&error, ConnectError::Refused { .. }), "{error:?}");
    let error = open(
        &Settings::parse(&server.connection("nobody in particular".split(' ').next().unwrap()))
            .unwrap(),
    );
    assert!(matches!(&error, ConnectError::Refused { user, .. } if user == "nobody"), "{error:?}");
}

pub(crate) fn passwords_are_checked_and_never_shown(server: &Server) {
    server.sql("CREATE ROLE locked LOGIN PASSWORD 'right one'");
    server.require_password_of("locked");
    let with = |password: &str| {
        let connection = format!("{} password='{password}'", server.connection("locked"));
        Settings::parse(&connection).unwrap()
    };
    for settings in [with("wrong one"), Settings::parse(&server.connection("locked")).unwrap()] {
        let error = open(&settings);
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert!(!format!("{error} {error:?} {settings:?}").contains("wrong one"));
    }
    assert!(matches!(open(&with("right one").schema("none")), ConnectError::NotInitialized { .. }));
}

pub(crate) fn a_schema_that_is_not_a_stores_is_refused(server: &Server) {
    let settings = server.settings_of("empty");
    assert!(matches!(open(&settings), ConnectError::NotInitialized { .. }));
    server.sql("CREATE SCHEMA foreigner; CREATE TABLE foreigner.events (x int)");
    let settings = server.settings_of("foreigner");
    for error in [open(&settings), init(&settings, Role::Store).unwrap_err()] {
        assert!(
            matches!(&error, ConnectError::ForeignSchema { relation, .. } if relation == "events"),
            "{error:?}"
        );
    }
    let settings = server.settings_of("newer");
    drop(fresh(&settings));
    init(&settings, Role::Store).unwrap();
    server.sql("UPDATE newer.annals_schema SET version = 77");
    for error in [open(&settings), init(&settings, Role::Store).unwrap_err()] {
        assert!(
            matches!(error, ConnectError::SchemaVersion { found: 77, known: 2, .. }),
            "{error:?}"
        );
    }
    let settings = server.settings_of("mirrors");
    let log = |byte| Role::Mirror { log: annals::EventId::new([byte; 16]) };
    init(&settings, log(1)).unwrap();
    assert!(matches!(open(&settings), ConnectError::WrongRole { .. }));
    assert!(matches!(init(&settings, Role::Store), Err(ConnectError::WrongRole { .. })));
    assert!(matches!(init(&settings, log(2)), Err(ConnectError::WrongLog { .. })));
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let latin = server.connection("owner").replace("dbname=postgres", "dbname=latin");
    let error = open(&Settings::parse(&latin).unwrap());
    assert!(
        matches!(&error, ConnectError::Encoding { encoding } if encoding == "LATIN1"),
        "{error:?}"
    );
}

/// The role of docs/postgres.md can append and read, and nothing else; and not even the owner changes
/// what has happened without taking the tables apart.
pub(crate) fn a_role_may_append_and_read_and_nothing_else(server: &Server) {
    let owner = server.settings_of("shared");
    let store = fresh(&owner);
    server.sql("CREATE ROLE shop LOGIN");
    let settings = Settings::parse(&server.connection("shop")).unwrap().schema("shared");
    let error = open(&settings);
    assert!(
        matches!(&error, ConnectError::MissingRight { user, .. } if user == "shop"),
        "{error:?}"
    );
    assert!(matches!(
        init(&settings.clone().schema("new"), Role::Store),
        Err(ConnectError::MissingRight { .. })
    ));
    server.sql(
        "GRANT USAGE ON SCHEMA shared TO shop;
         GRANT SELECT ON ALL TABLES IN SCHEMA shared TO shop;
         GRANT EXECUTE ON FUNCTION shared.append TO shop",
    );
    let shop = PostgresStore::open(settings).unwrap();
    shop.append_blocking(&one("a")).unwrap();
    assert_eq!(store.read_blocking(&[], None).unwrap().position.get(), 1);
    for statement in [
        "INSERT INTO shared.streams VALUES (9, 'b')",
        "UPDATE shared.events SET payload = ''",
        "DELETE FROM shared.events",
        "TRUNCATE shared.events",
        "ALTER TABLE shared.events DISABLE TRIGGER ALL",
    ] {
        for user in ["shop", "owner"] {
            // The owner may take the triggers off and add rows by hand: it is theirs.
            if user == "owner"
                && (statement.starts_with("ALTER") || statement.starts_with("INSERT"))
            {
                continue;
            }
            let mut psql = Command::new("psql");
            let output =
                psql.args(["-qX", "-d", &server.connection(user), "-c", statement]).output();
            assert!(!output.unwrap().status.success(), "{user} may {statement}");
        }
    }
    server.sql("REVOKE EXECUTE ON FUNCTION shared.append FROM shop");
    let refused = shop.append_blocking(&one("a"));
    assert!(matches!(refused, Err(AppendFailure::Store(StoreError::Server(_)))), "{refused:?}");
    assert_eq!(store.read_blocking(&[], None).unwrap().position.get(), 1);
}

/// Someone with the right to do so changed rows so that they are no events any more.
pub(crate) fn rows_that_are_no_events_are_errors(server: &Server) {
    let settings = server.settings_of("tampered").patience(Duration::from_millis(100));
    let store = fresh(&settings);
    store.append_blocking(&one("a")).unwrap();
    let from = [annals_event::ReadFrom {
        stream: StreamId::new("a").unwrap(),
        after: annals::StreamVersion::ZERO,
    }];
    for change in [
        "type = ''",
        "type = E'\\x07'",
        "codec = 300",
        "codec = -1",
        "schema_version = 70000",
        "time = 'infinity'",
    ] {
        server.sql(&format!(
            "BEGIN; ALTER TABLE tampered.events DISABLE TRIGGER ALL;
             UPDATE tampered.events SET type = 'Happened', codec = 0, schema_version = 1, time = now();
             UPDATE tampered.events SET {change};
             ALTER TABLE tampered.events ENABLE TRIGGER ALL; COMMIT"
        ));
        let read = store.read_blocking(&from, None);
        assert!(
            matches!(read, Err(StoreError::Damaged { .. } | StoreError::Server(_))),
            "{change}: {read:?}"
        );
    }
}

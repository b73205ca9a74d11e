//! What is wrong with a server, a database, a role or a schema is said by its name; and nobody
//! changes what has happened.

use std::{process::Command, time::Duration};

use annals::{Append, AppendFailure, NewEvent, StreamId};
use annals_event::Store;
use annals_postgres::{ConnectError, PostgresStore, Role, Settings, StoreError, init};

use crate::{contract::fresh, proxy::Proxy, server::Server};

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

/// A server that says that it is older than it is.
pub(crate) fn a_server_before_14_is_refused(server: &Server) {
    let settings = server.settings();
    drop(fresh(&settings));
    let number = server.query("SHOW server_version_num");
    let version = server.query("SHOW server_version");
    let older = format!("{:width$}", "13.22", width = version.len());
    let saying = |number_said: &str, version_said: &str| {
        let instead = vec![
            (number.clone(), number_said.to_owned()),
            (version.clone(), version_said.to_owned()),
        ];
        let proxy = Proxy::saying(server.socket(), instead);
        let opened = Settings::parse(&proxy.connection()).and_then(|settings| {
            let settings = settings.schema("of_another_age");
            init(&settings, Role::Store)?;
            PostgresStore::open(settings).map(drop)
        });
        (opened, proxy)
    };
    let (refused, _proxy) = saying("130022", &older);
    let error = refused.unwrap_err();
    assert!(
        matches!(&error, ConnectError::TooOld { version } if version.trim_end() == "13.22"),
        "{error:?}"
    );
    assert!(error.to_string().contains("14"), "{error}");
    // The first that is not, and the same way to the server.
    let (accepted, _proxy) = saying("140000", &version);
    accepted.unwrap();
}

/// Postgres holds no NUL in text: names cannot have it, and what is no text may.
pub(crate) fn text_with_nul_is_refused_and_bytes_with_nul_are_kept(server: &Server) {
    let settings = server.settings();
    let store = fresh(&settings);
    assert!(StreamId::new("a\0b").is_err());
    let event = |payload: &[u8]| {
        NewEvent::new(StreamId::new("a").unwrap(), "Happened", payload.to_vec()).unwrap()
    };
    assert!(NewEvent::new(StreamId::new("a").unwrap(), "a\0b", "").is_err());
    let mut tagged = event(b"x");
    tagged.tags = vec!["a\0b".to_owned()];
    let refused = store.append_blocking(&Append::new().event(event(b"x")).event(tagged));
    assert!(matches!(refused, Err(AppendFailure::Store(StoreError::Invalid(_)))), "{refused:?}");
    assert_eq!(store.read_blocking(&[], None).unwrap().position.get(), 0);
    let mut bytes = event(b"\0a\0");
    bytes.metadata = vec![0, 0];
    store.append_blocking(&Append::new().event(bytes)).unwrap();
    let from = annals_event::ReadFrom {
        stream: StreamId::new("a").unwrap(),
        after: annals::StreamVersion::ZERO,
    };
    let event = &store.read_blocking(&[from], None).unwrap().events[0];
    assert_eq!((event.payload.as_slice(), event.metadata.as_slice()), (&b"\0a\0"[..], &[0, 0][..]));
    for error in [
        open(&settings.clone().schema("a\0b")),
        init(&settings.schema("a\0b"), Role::Store).unwrap_err(),
    ] {
        assert!(matches!(error, ConnectError::Server { .. }), "{error:?}");
    }
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
        "UPDATE shared.streams SET name = 'b'",
        "DELETE FROM shared.streams",
        "TRUNCATE shared.streams CASCADE",
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
            let output = output.unwrap();
            assert!(!output.status.success(), "{user} may {statement}");
            let said = String::from_utf8_lossy(&output.stderr);
            let why = if user == "shop" { "ERROR:  " } else { "is refused" };
            assert!(said.contains(why), "{user}, {statement}: {said}");
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

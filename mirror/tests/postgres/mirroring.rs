//! A log and its mirror.

use annals::{
    Annals, Append, CodecId, CommitDelivery, EventId, NewEvent, Position, SchemaVersion, StreamId,
};
use annals_postgres::{ConnectError, Mirror, MirrorError, Role, Settings, init, verify};

use crate::{differential::Random, server::Server};

/// An append of a few events that differ in everything.
fn append(random: &mut Random) -> Append {
    let json: [&[u8]; 6] = [
        br#"{"cents": 1.50, "who": "it's \"me\" \\ \u00e9"}"#,
        br#"{"nul": "\u0000"}"#,
        b"{\"broken\": ",
        br#"{"small": 1e-99999, "deep": [[[[]]]]}"#,
        b"\xff\xfe",
        b"[1, 2, 3]",
    ];
    let events = (0..=random.below(3)).map(|_| {
        let stream = StreamId::new(&format!("stream {}", random.below(50))).unwrap();
        let mut event = NewEvent::new(stream, "Happened", *b"").unwrap();
        if random.below(2) == 0 {
            event.payload = (0..random.below(300)).map(|n| n.to_le_bytes()[0]).collect();
        } else {
            event.payload = json[usize::try_from(random.below(6)).unwrap()].to_vec();
            event = event.with_codec(CodecId::JSON, SchemaVersion(3));
        }
        event.metadata = vec![0; usize::try_from(random.below(3)).unwrap()];
        event.tags = (0..random.below(3)).map(|tag| format!("tag, {tag} '\"\\{{}}")).collect();
        event
    });
    let mut append = Append::new().events(events.collect::<Vec<_>>());
    if random.below(3) == 0 {
        for event in &mut append.events {
            let id = u128::from(random.below(u64::MAX)) << 64 | u128::from(random.below(u64::MAX));
            event.id = Some(EventId::new(id.to_le_bytes()));
        }
    }
    append
}

pub(crate) fn fill(annals: &Annals, seed: u64, appends: u64) {
    let random = &mut Random(seed);
    let pendings: Vec<_> = (0..appends).map(|_| annals.append(&append(random))).collect();
    for pending in pendings {
        pending.wait().unwrap();
    }
}

pub(crate) fn mirror_of(annals: &Annals, settings: &Settings) -> Mirror {
    init(settings, Role::Mirror { log: Mirror::log_id(annals) }).unwrap();
    Mirror::start(annals, settings.clone()).unwrap()
}

/// The mirror has all that the log has.
pub(crate) fn assert_same(annals: &Annals, settings: &Settings) {
    let compared = verify(annals, settings, |_| {}).unwrap();
    assert_eq!(compared, Ok(annals.position()));
}

pub(crate) fn a_mirror_has_what_the_log_has(server: &Server) {
    let settings = server.settings();
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 1, 3_000);
    let mirror = mirror_of(&annals, &settings);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_eq!(mirror.lag().events(), 0);
    assert_same(&annals, &settings);
    // Live, and after a stop.
    fill(&annals, 2, 500);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    mirror.stop();
    fill(&annals, 3, 500);
    let mirror = mirror_of(&annals, &settings);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &settings);
}

pub(crate) fn json_is_there_where_postgres_can_hold_it(server: &Server) {
    let settings = server.settings_of("json");
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 4, 500);
    mirror_of(&annals, &settings).wait_for(annals.position(), |_| {}).unwrap();
    let count = |condition: &str| {
        server.query(&format!("SELECT count(*) > 0 FROM json.log WHERE {condition}"))
    };
    assert_eq!(count("json ->> 'who' = 'it''s \"me\" \\ é'"), "t");
    assert_eq!(count("json = '[1, 2, 3]'"), "t");
    for without in ["{\"nul\"", "{\"broken\"", "{\"small\""] {
        let payload = format!(
            "payload = convert_to('{without}', 'UTF8') || substr(payload, {})",
            without.len() + 1
        );
        assert_eq!(count(&format!("json IS NULL AND {payload}")), "t", "{without}");
        assert_eq!(count(&format!("json IS NOT NULL AND {payload}")), "f", "{without}");
    }
    assert_eq!(annals_postgres::make_views(&settings).unwrap(), 1);
    let rows = server.query("SELECT count(*) FROM json.\"type_Happened\"");
    assert_eq!(rows, annals.position().to_string());
}

/// Each event has its place in its commit, also where batches end.
pub(crate) fn commits_can_be_told_apart(server: &Server) {
    let settings = server.settings_of("commits");
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 11, 12_000);
    mirror_of(&annals, &settings).wait_for(annals.position(), |_| {}).unwrap();
    let mut subscription = annals.subscribe(Position::ZERO);
    let mut expected = Vec::new();
    while let CommitDelivery::Commit { first, events } =
        subscription.try_recv_commit().unwrap().unwrap()
    {
        let firsts = (first.get(), first.get() + u64::try_from(events.len()).unwrap());
        expected.push(firsts);
    }
    assert!(annals.position().get() > 20_000, "more than two batches");
    let found = server.query(
        "SELECT string_agg(position || ' ' || next, E'\n' ORDER BY position) FROM (
            SELECT position, commit_index, lead(position, 1, 1 + (SELECT max(position) FROM commits.events))
                OVER (ORDER BY position) AS next
            FROM commits.events WHERE commit_index = 0) x",
    );
    let expected: Vec<_> = expected.iter().map(|(from, to)| format!("{from} {to}")).collect();
    assert_eq!(found, expected.join("\n"));
    let odd =
        "SELECT count(*) FROM (SELECT commit_index - lag(commit_index) OVER (ORDER BY position)
        AS step, commit_index AS index FROM commits.events) x WHERE index <> 0 AND step <> 1";
    assert_eq!(server.query(odd), "0");
}

/// A mirror that version 1 began goes on after `init`. What version 1 copied has no commits.
pub(crate) fn a_mirror_of_version_1_goes_on(server: &Server) {
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 12, 300);
    let begun = annals.position();
    let settings = server.settings_of("older");
    mirror_of(&annals, &settings).wait_for(begun, |_| {}).unwrap();
    // As version 1 would have left it.
    server.sql("CREATE SCHEMA v1; SET search_path = v1");
    let tables = concat!("SET search_path = v1;", include_str!("../../sql/1.sql"));
    server.sql(tables);
    server.sql(
        "INSERT INTO v1.annals_schema (version, role, log)
            SELECT 1, role, log FROM older.annals_schema;
         INSERT INTO v1.streams TABLE older.streams;
         INSERT INTO v1.events SELECT position, stream, version, time, NULL, codec, schema_version,
            type, id, token, payload, metadata, tags, json FROM older.events;
         INSERT INTO v1.mirrored (position) SELECT position FROM older.mirrored",
    );
    let settings = server.settings_of("v1");
    let early = Mirror::start(&annals, settings.clone()).unwrap();
    let error = early.wait_for(begun, |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("version 1") && text.contains("run init"), "{text}");
    fill(&annals, 13, 300);
    let mirror = mirror_of(&annals, &settings);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &settings);
    let unknown = server.query("SELECT max(position) FROM v1.events WHERE commit_index IS NULL");
    assert_eq!(unknown, begun.to_string());
}

/// Whoever changed, removed or added a row is found out, with the position and the column.
pub(crate) fn verify_names_the_first_difference(server: &Server) {
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 5, 9_000);
    assert!(annals.position().get() > 15_000, "more than one range");
    let settings = server.settings_of("compared");
    let mirror = mirror_of(&annals, &settings);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    mirror.stop();
    let end = annals.position().get();
    let changes = [
        ("UPDATE events SET payload = payload || 'x' WHERE position = 12345", 12_345, "payload"),
        ("UPDATE events SET metadata = 'x' WHERE position = 12345", 12_345, "metadata"),
        ("UPDATE events SET tags = '{x}' WHERE position = 12345", 12_345, "tags"),
        ("UPDATE events SET type = 'x' WHERE position = 12345", 12_345, "type"),
        ("UPDATE events SET time = time + '1 us' WHERE position = 12345", 12_345, "time"),
        ("UPDATE events SET codec = 77 WHERE position = 12345", 12_345, "codec"),
        ("UPDATE events SET schema_version = 9 WHERE position = 12345", 12_345, "schema_version"),
        ("UPDATE events SET version = 999999 WHERE position = 12345", 12_345, "version"),
        ("UPDATE events SET id = gen_random_uuid() WHERE position = 12345", 12_345, "id"),
        ("UPDATE events SET commit_index = 77 WHERE position = 12345", 12_345, "commit_index"),
        ("UPDATE events SET commit_index = NULL WHERE position = 12345", 12_345, "commit_index"),
        ("UPDATE events SET stream = -1 WHERE position = 12345", 12_345, "of stream"),
        ("DELETE FROM events WHERE position IN (7, 9)", 7, "missing"),
        ("DELETE FROM events WHERE position > 10", 11, "missing"),
        (
            "INSERT INTO events SELECT position + 100000, stream, version + 100000, time, 0, codec,
             schema_version, type FROM events WHERE position = 1",
            100_001,
            "end before it",
        ),
    ];
    for (change, position, what) in changes {
        let change =
            change.replace("version, type FROM", "version, type, NULL, NULL, payload FROM");
        server.sql(
            "DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept;
             CREATE TABLE kept.events AS TABLE compared.events",
        );
        server.sql(&format!(
            "SET search_path = compared; ALTER TABLE events DISABLE TRIGGER ALL; {change}"
        ));
        let difference = verify(&annals, &settings, |_| {}).unwrap().unwrap_err();
        assert_eq!(difference.position.get(), position, "{change}: {difference}");
        assert!(difference.what.contains(what), "{change}: {difference}");
        server.sql(
            "SET search_path = compared; TRUNCATE events; INSERT INTO events TABLE kept.events;
             ALTER TABLE events ENABLE TRIGGER ALL",
        );
    }
    assert_eq!(verify(&annals, &settings, |_| {}).unwrap(), Ok(Position::new(end)));
}

/// Two mirrors of one log into the same tables: nothing is copied twice.
pub(crate) fn two_mirrors_into_the_same_tables_copy_once(server: &Server) {
    let settings = server.settings();
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 6, 2_000);
    let mirrors = [mirror_of(&annals, &settings), mirror_of(&annals, &settings)];
    fill(&annals, 7, 2_000);
    for mirror in &mirrors {
        mirror.wait_for(annals.position(), |_| {}).unwrap();
    }
    assert_same(&annals, &settings);
}

pub(crate) fn a_mirror_of_something_else_is_refused(server: &Server) {
    let settings = server.settings_of("others");
    let (annals, other) = (Annals::in_memory().unwrap(), Annals::in_memory().unwrap());
    fill(&annals, 8, 100);
    let mirror = mirror_of(&annals, &settings);
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    let refused = |annals: &Annals, settings: &Settings| {
        let mirror = Mirror::start(annals, settings.clone()).unwrap();
        mirror.wait_for(Position::new(1_000_000), |_| {}).unwrap_err()
    };
    let error = refused(&other, &settings);
    assert!(matches!(error, MirrorError::Connect(ConnectError::WrongLog { .. })), "{error:?}");
    let error = refused(&annals, &server.settings());
    assert!(
        matches!(error, MirrorError::Connect(ConnectError::NotInitialized { .. })),
        "{error:?}"
    );
    // The log was replaced by an older copy.
    server.sql("UPDATE others.mirrored SET position = 999");
    let error = refused(&annals, &settings);
    assert!(matches!(error, MirrorError::Ahead { .. }), "{error:?}");
}

/// A role with the rights of docs/postgres.md.
pub(crate) fn a_mirror_needs_few_rights(server: &Server) {
    let owner = server.settings_of("modest");
    let annals = Annals::in_memory().unwrap();
    fill(&annals, 9, 100);
    init(&owner, Role::Mirror { log: Mirror::log_id(&annals) }).unwrap();
    server.sql(
        "CREATE ROLE follower LOGIN; GRANT USAGE ON SCHEMA modest TO follower;
         GRANT SELECT ON ALL TABLES IN SCHEMA modest TO follower",
    );
    let settings = Settings::parse(&server.connection("follower")).unwrap().schema("modest");
    let mirror = Mirror::start(&annals, settings.clone()).unwrap();
    let error = mirror.wait_for(annals.position(), |_| {}).unwrap_err();
    assert!(matches!(error, MirrorError::Server { .. }), "{error:?}");
    server.sql(
        "GRANT EXECUTE ON FUNCTION modest.mirror_to TO follower;
         GRANT INSERT ON modest.streams, modest.events TO follower",
    );
    let mirror = Mirror::start(&annals, settings.clone()).unwrap();
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &settings);
}

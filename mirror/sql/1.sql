-- Version 1 of the tables. They lie in the schema that the search path begins with.

-- What this schema is: one row.
CREATE TABLE annals_schema (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    -- A store takes appends; a mirror follows an embedded log.
    role text NOT NULL CHECK (role IN ('store', 'mirror')),
    -- The id of the log: a store's own, or that of the log that is mirrored.
    log uuid NOT NULL,
    made timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE streams (
    -- The position of the stream's first event.
    number bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream bigint NOT NULL,
    version bigint NOT NULL,
    time timestamptz NOT NULL,
    -- The event's place in its commit, from 0; not known in a mirror.
    commit_index integer,
    codec smallint NOT NULL,
    schema_version integer NOT NULL,
    type text COLLATE "C" NOT NULL,
    -- NULL: none was given, and the event has the one that follows from its position.
    id uuid,
    -- Of the first event of an append: a word by which its sender finds it again.
    token uuid,
    payload bytea NOT NULL,
    -- NULL: empty.
    metadata bytea,
    -- NULL: none.
    tags text[],
    -- The payload again, where it can be said in JSON. Filled by the mirror.
    json jsonb,
    UNIQUE (stream, version)
);

CREATE UNIQUE INDEX events_id ON events (id) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX events_token ON events (token) WHERE token IS NOT NULL;

-- Events and streams are only ever added.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON streams
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Appends several appends in their order, each wholly or not at all: one transaction, one round
-- trip. Streams are named once, in `names`; appends count from 1, and so do streams.
--
-- No stream that an append expects something of is written to by an earlier append of the same
-- call, and at most one append has ids: so all can be checked against what was there before the
-- call. The caller sees to it.
--
-- `states` says for each append: 0, it happened; -1, something that it expected does not hold;
-- otherwise the position of an event that has one of its ids, or its token.
CREATE FUNCTION append(
    names text[],
    tokens uuid[],
    may_be_there boolean,
    expected_append integer[], expected_name integer[], expected_version bigint[],
    event_append integer[], event_index integer[], event_name integer[],
    event_stream text[], event_type text[], event_codec smallint[], event_schema integer[],
    event_payload bytea[], event_metadata bytea[], event_tags text[], event_id uuid[],
    OUT head bigint, OUT appended_at timestamptz, OUT versions bigint[], OUT states bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    numbers bigint[];
    one record;
BEGIN
    IF (SELECT role FROM annals_schema) <> 'store' THEN
        RAISE EXCEPTION 'this schema mirrors a log and takes no appends'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- One append at a time, until its transaction is visible: positions appear in their order, and
    -- who sees one has seen all before it.
    PERFORM pg_advisory_xact_lock((1634627169::bigint << 32) | 'events'::regclass::oid::bigint);
    head := coalesce((SELECT max(e.position) FROM events e), 0);
    appended_at := clock_timestamp();

    SELECT array_agg(s.number ORDER BY n.at), array_agg(coalesce(v.version, 0) ORDER BY n.at)
    INTO numbers, versions
    FROM unnest(names) WITH ORDINALITY AS n (name, at)
    LEFT JOIN streams s ON s.name = n.name
    LEFT JOIN LATERAL (
        SELECT e.version FROM events e WHERE e.stream = s.number ORDER BY e.version DESC LIMIT 1
    ) v ON true;

    states := array_fill(0::bigint, ARRAY[cardinality(tokens)]);
    FOR one IN
        SELECT DISTINCT x.append
        FROM unnest(expected_append, expected_name, expected_version) AS x (append, name, version)
        -- -1: at least one event.
        WHERE CASE x.version WHEN -1 THEN versions[x.name] = 0
            ELSE versions[x.name] <> x.version END
    LOOP
        states[one.append] := -1;
    END LOOP;
    -- What has happened already is not a conflict.
    IF event_id IS NOT NULL THEN
        FOR one IN
            SELECT DISTINCT ON (x.append) x.append, e.position
            FROM unnest(event_append, event_id) WITH ORDINALITY AS x (append, id, at)
            JOIN events e ON e.id = x.id
            ORDER BY x.append, x.at
        LOOP
            states[one.append] := one.position;
        END LOOP;
    END IF;
    IF may_be_there THEN
        FOR one IN
            SELECT x.append, e.position
            FROM unnest(tokens) WITH ORDINALITY AS x (token, append)
            JOIN events e ON e.token = x.token
        LOOP
            states[one.append] := one.position;
        END LOOP;
    END IF;

    WITH accepted AS (
        SELECT head + row_number() OVER (ORDER BY x.at) AS position, x.*
        FROM unnest(
            event_append, event_index, event_name, event_stream, event_type,
            event_codec, event_schema, event_payload, event_metadata, event_tags, event_id
        ) WITH ORDINALITY AS x (
            append, index, name, stream, type, codec, schema, payload, metadata, tags, id, at
        )
        WHERE states[x.append] = 0
    ), placed AS (
        SELECT a.*,
            versions[a.name] + row_number() OVER (PARTITION BY a.name ORDER BY a.at) AS version,
            coalesce(numbers[a.name], min(a.position) OVER (PARTITION BY a.name)) AS number
        FROM accepted a
    ), made AS (
        INSERT INTO streams (number, name)
        SELECT p.number, p.stream FROM placed p WHERE p.version = 1
    )
    INSERT INTO events (
        position, stream, version, time, commit_index, codec, schema_version, type, id, token,
        payload, metadata, tags
    )
    SELECT p.position, p.number, p.version, appended_at, p.index, p.codec, p.schema, p.type, p.id,
        CASE p.index WHEN 0 THEN tokens[p.append] END,
        p.payload, p.metadata, string_to_array(p.tags, E'\x1f')
    FROM placed p ORDER BY p.position;

    IF FOUND THEN
        PERFORM pg_notify('annals', 'events'::regclass::oid::text);
    END IF;
END $$;

REVOKE ALL ON FUNCTION append FROM PUBLIC;

-- A mirror's tables are filled by its follower alone, in the log's order.

CREATE TABLE mirrored (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Up to here the log has been copied.
    position bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

-- Copies events behind `after`, if that is how far the mirror is: the position and the events are
-- one transaction. False, and nothing is done, if it is elsewhere.
CREATE FUNCTION mirror(
    after bigint,
    new_number bigint[], new_name text[],
    event_position bigint[], event_stream bigint[], event_version bigint[],
    event_time timestamptz[], event_type text[], event_codec smallint[], event_schema integer[],
    event_payload bytea[], event_metadata bytea[], event_tags text[], event_id uuid[],
    event_json text[]
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE mirrored SET position = event_position[cardinality(event_position)], at = now()
    WHERE position = after;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO streams (number, name) SELECT * FROM unnest(new_number, new_name);
    INSERT INTO events (
        position, stream, version, time, type, codec, schema_version, payload, metadata, tags, id,
        json
    )
    SELECT x.position, x.stream, x.version, x.time, x.type, x.codec, x.schema, x.payload,
        x.metadata, string_to_array(x.tags, E'\x1f'), x.id, x.json::jsonb
    FROM unnest(
        event_position, event_stream, event_version, event_time, event_type, event_codec,
        event_schema, event_payload, event_metadata, event_tags, event_id, event_json
    ) AS x (
        position, stream, version, time, type, codec, schema, payload, metadata, tags, id, json
    );
    PERFORM pg_notify('annals', 'events'::regclass::oid::text);
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION mirror FROM PUBLIC;

-- What people look at.
CREATE VIEW log AS
SELECT e.position, s.name AS stream, e.version, e.time, e.type,
    CASE e.codec WHEN 0 THEN 'raw' WHEN 1 THEN 'bincode' WHEN 2 THEN 'json'
        WHEN 3 THEN 'msgpack' WHEN 4 THEN 'postcard' ELSE e.codec::text END AS codec,
    e.schema_version, e.json, e.tags, e.id, e.payload, e.metadata
FROM events e JOIN streams s ON s.number = e.stream;

-- Makes a view of each event type that there is: "type_Deposited". Returns how many there are.
CREATE FUNCTION make_views() RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    one text;
    views bigint := 0;
BEGIN
    FOR one IN SELECT DISTINCT e.type FROM events e LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I AS SELECT position, stream, version, time, schema_version,
                json, tags, payload FROM log WHERE type = %L',
            CASE WHEN octet_length(one) <= 58 THEN 'type_' || one
                ELSE 'type_' || left(one, 6) || '_' || md5(one) END,
            one
        );
        views := views + 1;
    END LOOP;
    RETURN views;
END $$;

REVOKE ALL ON FUNCTION make_views FROM PUBLIC;

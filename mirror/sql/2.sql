-- Version 2: a mirror is filled by COPY, and knows which events are of one commit; appends of a store
-- take less of the server's time.

DROP FUNCTION mirror;

-- The place of an event in its commit is known behind this position. What was copied before by
-- version 1 does not have it.
ALTER TABLE mirrored ADD COLUMN commits_after bigint NOT NULL DEFAULT 0;
UPDATE mirrored SET commits_after = position;

COMMENT ON COLUMN events.commit_index IS
    'The event''s place in its commit, from 0; NULL where version 1 has mirrored it.';

-- Begins to copy: the events behind `after`, up to `last`, are to be added in the same
-- transaction. False, and nothing is done, if the mirror is elsewhere. Who is second waits here.
CREATE FUNCTION mirror_to(after bigint, last bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE mirrored SET position = last, at = now() WHERE position = after;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify('annals', 'events'::regclass::oid::text);
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION mirror_to FROM PUBLIC;

-- As before, but what nobody refused is inserted as it came: the caller says which event of its
-- stream each is (`event_nth`, from 1), and which event of the call is the first of each stream
-- (`firsts`, from 1; 0 for a stream that is not written to). Only where an append was refused are
-- versions and positions counted anew.
DROP FUNCTION append;

CREATE FUNCTION append(
    names text[], firsts integer[],
    tokens uuid[],
    may_be_there boolean,
    expected_append integer[], expected_name integer[], expected_version bigint[],
    event_append integer[], event_index integer[], event_name integer[], event_nth integer[],
    event_type text[], event_codec smallint[], event_schema integer[],
    event_payload bytea[], event_metadata bytea[], event_tags text[], event_id uuid[],
    OUT head bigint, OUT appended_at timestamptz, OUT versions bigint[], OUT states bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    numbers bigint[];
    refused boolean := false;
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

    SELECT array_agg(coalesce(s.number, head + n.first) ORDER BY n.at),
        array_agg(coalesce(v.version, 0) ORDER BY n.at)
    INTO numbers, versions
    FROM unnest(names, firsts) WITH ORDINALITY AS n (name, first, at)
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
        refused := true;
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
            refused := true;
        END LOOP;
    END IF;
    IF may_be_there THEN
        FOR one IN
            SELECT x.append, e.position
            FROM unnest(tokens) WITH ORDINALITY AS x (token, append)
            JOIN events e ON e.token = x.token
        LOOP
            states[one.append] := one.position;
            refused := true;
        END LOOP;
    END IF;

    IF refused THEN
        WITH accepted AS (
            SELECT head + row_number() OVER (ORDER BY x.at) AS position, x.*
            FROM unnest(
                event_append, event_index, event_name, event_type, event_codec, event_schema,
                event_payload, event_metadata, event_tags, event_id
            ) WITH ORDINALITY AS x (
                append, index, name, type, codec, schema, payload, metadata, tags, id, at
            )
            WHERE states[x.append] = 0
        ), placed AS (
            SELECT a.*,
                versions[a.name] + row_number() OVER (PARTITION BY a.name ORDER BY a.at) AS version,
                CASE versions[a.name] WHEN 0 THEN min(a.position) OVER (PARTITION BY a.name)
                    ELSE numbers[a.name] END AS number
            FROM accepted a
        ), made AS (
            INSERT INTO streams (number, name)
            SELECT p.number, names[p.name] FROM placed p WHERE p.version = 1
        )
        INSERT INTO events (
            position, stream, version, time, commit_index, codec, schema_version, type, id, token,
            payload, metadata, tags
        )
        SELECT p.position, p.number, p.version, appended_at, p.index, p.codec, p.schema, p.type,
            p.id, CASE p.index WHEN 0 THEN tokens[p.append] END,
            p.payload, p.metadata, string_to_array(p.tags, E'\x1f')
        FROM placed p ORDER BY p.position;
    ELSE
        INSERT INTO streams (number, name)
        SELECT head + n.first, n.name
        FROM unnest(names, firsts, versions) AS n (name, first, version)
        WHERE n.first > 0 AND n.version = 0;
        INSERT INTO events (
            position, stream, version, time, commit_index, codec, schema_version, type, id, token,
            payload, metadata, tags
        )
        SELECT head + x.at, numbers[x.name], versions[x.name] + x.nth, appended_at, x.index,
            x.codec, x.schema, x.type, x.id, CASE x.index WHEN 0 THEN tokens[x.append] END,
            x.payload, x.metadata, string_to_array(x.tags, E'\x1f')
        FROM unnest(
            event_append, event_index, event_name, event_nth, event_type, event_codec, event_schema,
            event_payload, event_metadata, event_tags, event_id
        ) WITH ORDINALITY AS x (
            append, index, name, nth, type, codec, schema, payload, metadata, tags, id, at
        );
    END IF;

    IF FOUND THEN
        PERFORM pg_notify('annals', 'events'::regclass::oid::text);
    END IF;
END $$;

REVOKE ALL ON FUNCTION append FROM PUBLIC;

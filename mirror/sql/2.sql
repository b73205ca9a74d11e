-- Version 2: a mirror is filled by COPY, and knows which events are of one commit.

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

-- 0002 numbers: what is known of the numbers that the log is read by, and nothing hidden from who works with its owner's rights.
--
-- A stream's cursor is an id and a snapshot of transaction numbers. Both come from the server, and both can begin again below what
-- the cursor has: a dump that is restored, TRUNCATE ... RESTART IDENTITY, a switch-over by logical replication, a standby that
-- lagged and was promoted. What is here lets a relay see that when it begins, and keeps ids from being given twice where that can
-- be helped.

SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

-- The server that gives the log its ids, as the last relay to begin has found it: one row. system_identifier and timeline are
-- null where the server does not tell. started_at: when the server, or its shared memory after a crash, began.
CREATE TABLE {{schema}}.numbering (
    is_the_only_row   boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (is_the_only_row),
    system_identifier bigint,
    timeline          bigint,
    started_at        timestamptz NOT NULL,
    noted_at          timestamptz NOT NULL DEFAULT now()
);

-- The last id that was drawn; 0: none. With its owner's rights: a relay may not read the sequence, nor should it be able to
-- change it.
CREATE FUNCTION {{schema}}.last_id() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $outbox$
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass), 0)
$outbox$;

-- Whether ids rise with the numbers of transactions, as the horizon of a cursor takes for granted: an id is drawn after the
-- transaction's number, one by one, upwards.
CREATE FUNCTION {{schema}}.ids_rise() RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $outbox$
    SELECT coalesce((
        SELECT seqcache = 1 AND seqincrement > 0
        FROM pg_sequence
        WHERE seqrelid = pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass
    ), false)
$outbox$;

-- Called by a relay that begins. Where the server has been started since the last one began, or is another, ids may have been
-- drawn, read and delivered that it knows nothing of: it was restored to an earlier state, a standby that had not received
-- everything was promoted, or commits that did not wait for the disk were lost in a crash. It would give them to other messages, and
-- a receiver that remembers ids would take those for repetitions. So the ids jump ahead, over everything that is known.
--
-- Returns the id that they go on behind; null: nothing has changed.
CREATE FUNCTION {{schema}}.skip_ids_after_restart() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $outbox$
DECLARE
    ids     regclass := pg_get_serial_sequence('{{schema_text}}.message', 'id')::regclass;
    system  bigint;
    line    bigint;
    began   timestamptz;
    known   record;
    highest bigint;
BEGIN
    BEGIN
        SELECT system_identifier INTO system FROM pg_control_system();
        line := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
    EXCEPTION
        -- Some services do not tell.
        WHEN insufficient_privilege OR feature_not_supported OR undefined_function OR object_not_in_prerequisite_state THEN
            NULL;
    END;
    -- A crash of a session begins the server's memory again without starting it, and statistics with it.
    began := greatest(pg_postmaster_start_time(), (SELECT stats_reset FROM pg_stat_bgwriter));
    INSERT INTO {{schema}}.numbering (system_identifier, timeline, started_at) VALUES (system, line, began)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT system_identifier, timeline, started_at INTO known FROM {{schema}}.numbering FOR UPDATE;
    IF known IS NOT DISTINCT FROM (system, line, began) THEN
        RETURN NULL;
    END IF;
    -- The log's index begins with the destination: one step for each.
    WITH RECURSIVE last (destination, id) AS (
        (SELECT destination, id FROM {{schema}}.message ORDER BY destination DESC, id DESC LIMIT 1)
        UNION ALL
        SELECT before.destination, before.id
        FROM last
        CROSS JOIN LATERAL (
            SELECT message.destination, message.id
            FROM {{schema}}.message
            WHERE message.destination < last.destination
            ORDER BY message.destination DESC, message.id DESC
            LIMIT 1
        ) AS before
    )
    SELECT greatest(
        {{schema}}.last_id(), (SELECT max(id) FROM last), (SELECT max(position) FROM {{schema}}.stream),
        (SELECT max(id) FROM {{schema}}.deferred), (SELECT max(id) FROM {{schema}}.dead_letter))
    INTO highest;
    highest := setval(ids, highest + 1048576);
    UPDATE {{schema}}.numbering
    SET system_identifier = system, timeline = line, started_at = began, noted_at = now();
    RETURN highest;
END
$outbox$;

-- As before, and: nothing is passed where the numbers do not say so.
CREATE OR REPLACE FUNCTION {{schema}}.segment_is_passed(number smallint) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET row_security = off
SET plan_cache_mode = 'force_custom_plan'
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $outbox$
DECLARE
    last_id    bigint := {{schema}}.last_id();
    next_xid   xid8 := pg_snapshot_xmax(pg_current_snapshot());
    last_xid   xid8;
BEGIN
    -- Ids that do not rise with the numbers of transactions: no cursor says what is behind it.
    IF NOT {{schema}}.ids_rise() THEN
        RETURN false;
    END IF;
    SELECT message.xid INTO last_xid FROM {{schema}}.message
    WHERE message.segment = segment_is_passed.number ORDER BY message.xid DESC LIMIT 1;
    RETURN NOT EXISTS (
        -- The index is not read through but jumped through: one step per destination.
        WITH RECURSIVE present (destination) AS (
            (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number
                ORDER BY message.destination LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number AND message.destination > present.destination
                ORDER BY message.destination LIMIT 1
            )
            FROM present
            WHERE present.destination IS NOT NULL
        )
        SELECT FROM present
        WHERE present.destination IS NOT NULL AND (
            NOT EXISTS (SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination)
            OR EXISTS (
                SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination
                GROUP BY stream.subscription
                HAVING NOT range_agg(int4range(stream.slot_low, stream.slot_high + 1)) @> int4range(0, 1024)
            )
            OR EXISTS (
                SELECT FROM {{schema}}.stream
                WHERE stream.destination = present.destination AND (
                    -- The ids began again below the cursor, or the cursor is another server's and the message may be of this
                    -- one: no relay has begun since then, which reads what came (see restart).
                    stream.position > last_id
                    OR pg_snapshot_xmax(stream.snapshot) > next_xid AND EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid < next_xid
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                    )
                    -- Came after the cursor was stored, with an id that it had passed: ids were set back, or given by hand. Of a
                    -- paused stream only, which may stand still for long; what others have not read they will soon have.
                    OR stream.paused_at IS NOT NULL AND stream.horizon <= last_xid AND EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id <= stream.position
                            AND CASE WHEN message.xid >= stream.horizon AND message.xid < next_xid THEN true END
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                    )
                    -- Fresh.
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id > stream.position
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                    )
                    -- Late, in two branches as in read_late; less what a late part that is being paged through has brought.
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    -- The numbers of the log have begun again and no session has begun since (see restart): then not even
                    -- the first message was seen by the cursor. One with a number that this server has not reached came
                    -- with a dump, and was passed unless it is late.
                    OR NOT coalesce((
                        SELECT
                            pg_visible_in_snapshot(message.xid, stream.snapshot)
                            OR coalesce(
                                message.id <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                            OR message.xid >= next_xid
                        FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number AND message.destination = stream.destination
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                        ORDER BY message.id
                        LIMIT 1
                    ), true)
                )
            )
        )
    );
END
$outbox$;

-- A policy that hides rows from the owner would hide from these what is there: they fail instead.
ALTER FUNCTION {{schema}}.truncate_segment(smallint) SET row_security = off;
ALTER FUNCTION {{schema}}.stream_lag() SET row_security = off;

-- Who could empty a segment is a relay, and needs these; who could ask for the lag asks for the last id too.
REVOKE ALL ON FUNCTION {{schema}}.last_id(), {{schema}}.skip_ids_after_restart() FROM PUBLIC;
DO $outbox$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT pg_proc.proname, acl.grantee::regrole AS role
        FROM pg_proc
        CROSS JOIN LATERAL aclexplode(proacl) AS acl
        WHERE pronamespace = '{{schema_text}}'::regnamespace AND proname IN ('truncate_segment', 'stream_lag')
            AND acl.grantee <> 0 AND acl.grantee <> proowner
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s.last_id() TO %s', '{{schema_text}}', given.role);
        IF given.proname = 'truncate_segment' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s.skip_ids_after_restart() TO %s', '{{schema_text}}', given.role);
        END IF;
    END LOOP;
END
$outbox$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

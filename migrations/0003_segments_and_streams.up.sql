-- 0003 segments_and_streams: what empties the log's partitions in turn, and what lets somebody else than a relay change a
-- stream under a running one.

-- The partitions of the log. The sequence segment_number is the truth about which one is current; here is when that was
-- last seen to change, for a sequence has no time.
CREATE TABLE {{schema}}.segment (
    number     smallint    NOT NULL PRIMARY KEY,
    is_current boolean     NOT NULL,
    since      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO {{schema}}.segment (number, is_current)
SELECT number, number = pg_sequence_last_value('{{schema_text}}.segment_number') FROM generate_series(0, 3) AS number;

-- Whether every stream has passed every message of a segment: none is left that a session which begins with the stored
-- cursors would read. Messages of a destination without a stream, or of slots that a subscription has none for, have not
-- been passed.
--
-- The conditions are those of read_fresh and read_late, with the same bounds and masks, so one index serves each, whatever
-- the statistics say: what is looked at of a segment is one message for each destination, and those of the transactions
-- that ended while a stream's cursor was last stored. Planned anew each time, with the number as a constant, so that no
-- other partition is looked at or locked.
CREATE FUNCTION {{schema}}.segment_is_passed(number smallint) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = 'force_custom_plan'
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $outbox$
BEGIN
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
                GROUP BY stream.subscription HAVING sum(stream.slot_high - stream.slot_low + 1) < 1024
            )
            OR EXISTS (
                SELECT FROM {{schema}}.stream
                WHERE stream.destination = present.destination AND (
                    -- Fresh.
                    EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id > stream.position
                            AND message.slot BETWEEN stream.slot_low AND stream.slot_high
                    )
                    -- Late, in two branches as in read_late; less what a late part that is being paged through has brought.
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND message.slot::integer BETWEEN stream.slot_low AND stream.slot_high
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
                            AND message.slot::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    -- The numbers of the log have begun anew and no session has begun since (see restart): then not even
                    -- the first message was seen by the cursor. One with a number that this server has not reached came
                    -- with a dump, and was passed unless it is late.
                    OR NOT coalesce((
                        SELECT
                            pg_visible_in_snapshot(message.xid, stream.snapshot)
                            OR coalesce(
                                message.id <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                            OR message.xid >= pg_snapshot_xmax(pg_current_snapshot())
                        FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number AND message.destination = stream.destination
                            AND message.slot BETWEEN stream.slot_low AND stream.slot_high
                        ORDER BY message.id
                        LIMIT 1
                    ), true)
                )
            )
        )
    );
END
$outbox$;

-- Empties a segment that every stream has passed. In the server, so that the lock which keeps all others out of the
-- partition is held for no round trip; with its owner's rights, so that a relay can remove what is passed and nothing else.
--
-- Who has written to the partition holds a lock on it to the end of its transaction, a prepared one too. So the lock is
-- granted when all of them have ended, and what is looked at after it, with a snapshot of its own, is all there will be.
-- It is not waited for: whoever reads the log meanwhile would wait behind it.
--
-- Returns truncated; current: it is where new messages go; unread: a stream has not passed it; busy: somebody uses it, or
-- another call is at work.
CREATE FUNCTION {{schema}}.truncate_segment(number smallint) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms'
AS $outbox$
DECLARE
    partition text := '{{schema_text}}.message_' || number;
BEGIN
    IF number IS NULL OR number NOT BETWEEN 0 AND 3 THEN
        RAISE EXCEPTION 'a segment is a number from 0 to 3' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Otherwise the second look would see what the first has seen, or rows of this transaction's own.
    IF current_setting('transaction_isolation') <> 'read committed' OR pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'a segment is truncated in a READ COMMITTED transaction that has written nothing'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF number = pg_sequence_last_value('{{schema_text}}.segment_number') THEN
        RETURN 'current';
    END IF;
    -- Two that have both looked would both keep the other from the lock.
    IF NOT pg_try_advisory_xact_lock('{{schema_text}}.message'::regclass::oid::integer, (-2147483648)::integer) THEN
        RETURN 'busy';
    END IF;
    IF NOT {{schema}}.segment_is_passed(number) THEN
        RETURN 'unread';
    END IF;
    BEGIN
        EXECUTE 'LOCK TABLE ' || partition || ' IN ACCESS EXCLUSIVE MODE';
    EXCEPTION WHEN lock_not_available THEN
        RETURN 'busy';
    END;
    IF number = pg_sequence_last_value('{{schema_text}}.segment_number') THEN
        RETURN 'current';
    END IF;
    IF NOT {{schema}}.segment_is_passed(number) THEN
        RETURN 'unread';
    END IF;
    EXECUTE 'TRUNCATE ' || partition;
    RETURN 'truncated';
END
$outbox$;
REVOKE ALL ON FUNCTION {{schema}}.truncate_segment(smallint) FROM PUBLIC;

-- How often somebody else than a relay has moved the stream's cursor. A relay that knows another number than the row has
-- does not move it, and reads from where it was put.
ALTER TABLE {{schema}}.stream ADD COLUMN generation integer NOT NULL DEFAULT 0;

CREATE FUNCTION {{schema}}.count_generation() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    NEW.generation := OLD.generation + 1;
    RETURN NEW;
END
$outbox$;

CREATE TRIGGER generation BEFORE UPDATE ON {{schema}}.stream FOR EACH ROW
    WHEN (
        current_setting('outbox.relay', true) IS DISTINCT FROM 'on'
        AND (OLD.snapshot::text, OLD.position, OLD.horizon, OLD.catchup_snapshot::text, OLD.catchup_position)
            IS DISTINCT FROM
            (NEW.snapshot::text, NEW.position, NEW.horizon, NEW.catchup_snapshot::text, NEW.catchup_position)
    )
    EXECUTE FUNCTION {{schema}}.count_generation();

-- A relay is told that somebody has paused, resumed or rewound a stream.
CREATE FUNCTION {{schema}}.ring_stream() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('outbox_' || '{{schema_text}}.message'::pg_catalog.regclass::pg_catalog.oid, 'stream');
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell AFTER UPDATE ON {{schema}}.stream FOR EACH STATEMENT
    WHEN (current_setting('outbox.relay', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION {{schema}}.ring_stream();

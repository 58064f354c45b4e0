-- 0003 overlooked: pending and lag have the messages that a cursor has overlooked.
--
-- A message that comes after the cursor was stored has a higher id than the cursor's position, as long as ids rise with the numbers
-- of transactions. Where ids began again, were set back or given by hand, it can have an id that was passed. A relay reads such
-- messages when its next session begins (see restart); until then nothing else than these says that they wait. The same holds for
-- a cursor that was taken from a server whose transaction numbers were higher: what has a number of this server may be new.
--
-- They can be looked for in two ways: among the messages of the destination with ids that were passed, or among all that came
-- since. For a stream that is seldom used the first are few, for one that is read all the time the second are. Whichever
-- are few are looked at, so that the whole is never more than a walk through what the log has of each stream; where nothing has come
-- since, nothing is.

SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

CREATE OR REPLACE FUNCTION {{schema}}.stream_lag(
    OUT subscription text, OUT destination text, OUT slot_low smallint, OUT slot_high smallint, OUT messages bigint,
    OUT seconds double precision
) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $outbox$
    SELECT
        stream.subscription, stream.destination, stream.slot_low, stream.slot_high,
        least(fresh.messages + late.messages + overlooked.messages, 1000000),
        greatest(extract(epoch FROM now()
            - nullif(nullif(least(oldest.created_at, late.created_at, overlooked.created_at), 'infinity'), '-infinity')), 0)::double precision
    FROM {{schema}}.stream
    -- From which transaction on a message is one that the cursor has not seen.
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN pg_snapshot_xmax(stream.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) THEN '0'::xid8
            ELSE stream.horizon
        END AS xid
        OFFSET 0
    ) AS since
    -- How to look for overlooked ones: by the ids that were passed (true), by the transactions since (false), not at all (null).
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN (
                SELECT message.xid FROM {{schema}}.message
                WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
                ORDER BY message.xid LIMIT 1
            ) IS NULL THEN NULL
            ELSE (
                SELECT message.id FROM {{schema}}.message
                WHERE message.destination = stream.destination AND message.id <= stream.position
                ORDER BY message.id LIMIT 1 OFFSET 50
            ) IS NULL OR (
                SELECT message.xid FROM {{schema}}.message
                WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
                ORDER BY message.xid LIMIT 1 OFFSET 10000
            ) IS NOT NULL
        END AS by_id
        OFFSET 0
    ) AS way
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages
        FROM (
            -- One branch or the other. An index with an expression is read alone, without the table, only where the
            -- statement does not ask for the expression: so it is not asked for where a stream has all slots.
            SELECT
            FROM {{schema}}.message
            WHERE stream.slot_low = 0 AND stream.slot_high = 1023
                AND message.destination = stream.destination AND message.id > stream.position
            UNION ALL
            SELECT
            FROM {{schema}}.message
            WHERE (stream.slot_low > 0 OR stream.slot_high < 1023)
                AND message.destination = stream.destination AND message.id > stream.position
                AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
            LIMIT 1000000
        ) AS counted
    ) AS fresh
    LEFT JOIN LATERAL (
        SELECT message.created_at
        FROM {{schema}}.message
        WHERE message.destination = stream.destination AND message.id > stream.position
            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
        ORDER BY message.id
        LIMIT 1
    ) AS oldest ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, min(counted.created_at) AS created_at
        FROM (
            SELECT part.created_at
            FROM (
                SELECT message.xid, message.id, message.key, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                UNION ALL
                SELECT message.xid, message.id, message.key, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
            ) AS part
            WHERE part.id + 0 <= stream.position AND part.destination IS NOT DISTINCT FROM stream.destination
                AND {{schema}}.slot(part.key, part.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                AND NOT coalesce(
                    part.id + 0 <= stream.catchup_position
                        AND pg_visible_in_snapshot(part.xid, stream.catchup_snapshot),
                    false)
            LIMIT 1000000
        ) AS counted
    ) AS late
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, min(counted.created_at) AS created_at
        FROM (
            SELECT message.created_at
            FROM {{schema}}.message
            WHERE message.destination = stream.destination
                AND message.id <= CASE WHEN way.by_id THEN stream.position END
                AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                AND CASE
                    WHEN message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
                    THEN message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot)
                END
            UNION ALL
            SELECT message.created_at
            FROM {{schema}}.message
            WHERE message.xid >= CASE WHEN NOT way.by_id THEN since.xid END
                AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
                AND message.id + 0 <= stream.position AND message.destination IS NOT DISTINCT FROM stream.destination
                AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                AND (message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot))
            LIMIT 1000000
        ) AS counted
    ) AS overlooked
$outbox$;

CREATE OR REPLACE VIEW {{schema}}.pending AS
SELECT
    stream.subscription, stream.destination, unhandled.id, {{schema}}.slot(unhandled.key, unhandled.id) AS slot,
    unhandled.created_at, unhandled.deliver_at, unhandled.route, unhandled.key
FROM {{schema}}.stream
-- From which transaction on a message is one that the cursor has not seen.
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN pg_snapshot_xmax(stream.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) THEN '0'::xid8
        ELSE stream.horizon
    END AS xid
    OFFSET 0
) AS since
-- How to look for overlooked ones: by the ids that were passed (true), by the transactions since (false), not at all (null).
-- A few are as many as the planner, whose estimates are low here, expects of a log that is worth the trouble.
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN (
            SELECT message.xid FROM {{schema}}.message
            WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY message.xid LIMIT 1
        ) IS NULL THEN NULL
        ELSE (
            SELECT message.id FROM {{schema}}.message
            WHERE message.destination = stream.destination AND message.id <= stream.position
            ORDER BY message.id LIMIT 1 OFFSET 50
        ) IS NULL OR (
            SELECT message.xid FROM {{schema}}.message
            WHERE message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY message.xid LIMIT 1 OFFSET 100
        ) IS NOT NULL
    END AS by_id
    OFFSET 0
) AS way
CROSS JOIN LATERAL (
    SELECT message.id, message.created_at, message.deliver_at, message.route, message.key
    FROM {{schema}}.message
    WHERE message.destination = stream.destination AND message.id > stream.position
        AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
    UNION ALL
    SELECT late.id, late.created_at, late.deliver_at, late.route, late.key
    FROM (
        -- Two branches, so that each is a condition on xid; no more of these columns is compared bare.
        SELECT
            message.xid, message.id, message.destination, message.created_at, message.deliver_at, message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
        UNION ALL
        SELECT
            message.xid, message.id, message.destination, message.created_at, message.deliver_at, message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
    ) AS late
    WHERE late.id + 0 <= stream.position AND late.destination IS NOT DISTINCT FROM stream.destination
        AND {{schema}}.slot(late.key, late.id)::integer BETWEEN stream.slot_low AND stream.slot_high
        -- A late part that is being paged through has brought these already.
        AND NOT coalesce(
            late.id + 0 <= stream.catchup_position AND pg_visible_in_snapshot(late.xid, stream.catchup_snapshot),
            false)
    UNION ALL
    SELECT message.id, message.created_at, message.deliver_at, message.route, message.key
    FROM {{schema}}.message
    WHERE message.destination = stream.destination
        AND message.id <= CASE WHEN way.by_id THEN stream.position END
        AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
        AND CASE
            WHEN message.xid >= since.xid AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
            THEN message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot)
        END
    UNION ALL
    SELECT message.id, message.created_at, message.deliver_at, message.route, message.key
    FROM {{schema}}.message
    WHERE message.xid >= CASE WHEN NOT way.by_id THEN since.xid END
        AND message.xid < pg_snapshot_xmax(pg_current_snapshot())
        AND message.id + 0 <= stream.position AND message.destination IS NOT DISTINCT FROM stream.destination
        AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
        AND (message.xid >= stream.horizon OR pg_visible_in_snapshot(message.xid, stream.snapshot))
) AS unhandled;

-- As before, and for a cursor of another server it looks at what the stream has passed, not at all that this server has numbered
-- for each stream.
CREATE OR REPLACE FUNCTION {{schema}}.segment_is_passed(number smallint) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET row_security = off
SET plan_cache_mode = 'force_custom_plan'
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $outbox$
DECLARE
    last_id    bigint := {{schema}}.last_id();
    next_xid   xid8 := pg_snapshot_xmax(pg_current_snapshot());
    first_xid  xid8;
    last_xid   xid8;
BEGIN
    -- Ids that do not rise with the numbers of transactions: no cursor says what is behind it.
    IF NOT {{schema}}.ids_rise() THEN
        RETURN false;
    END IF;
    SELECT message.xid INTO first_xid FROM {{schema}}.message
    WHERE message.segment = segment_is_passed.number ORDER BY message.xid LIMIT 1;
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
                    OR pg_snapshot_xmax(stream.snapshot) > next_xid AND first_xid < next_xid AND EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id <= stream.position
                            AND CASE WHEN message.xid < next_xid THEN true END
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

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

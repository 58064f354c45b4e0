-- Back to 0002: the function and the view as they were there.
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
        least(fresh.messages + late.messages, 1000000),
        greatest(extract(epoch FROM now()
            - nullif(nullif(least(oldest.created_at, late.created_at), 'infinity'), '-infinity')), 0)::double precision
    FROM {{schema}}.stream
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
$outbox$;

CREATE OR REPLACE VIEW {{schema}}.pending AS
SELECT
    stream.subscription, stream.destination, unhandled.id, {{schema}}.slot(unhandled.key, unhandled.id) AS slot,
    unhandled.created_at, unhandled.deliver_at, unhandled.route, unhandled.key
FROM {{schema}}.stream
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
) AS unhandled;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

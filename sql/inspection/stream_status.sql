-- Per stream of a subscription: what it has not handled, waiting and dead messages, each counted up to a limit.
-- $1 subscription, $2 limit, $3 the destination; null: all. The fresh part in two branches, of which one is taken: of a stream that has all slots it is an
-- index only scan, which an index with an expression serves only where the statement does not ask for the expression. The
-- late part has the same bounds as in read_late, and leaves out what a late part that is being paged through has already
-- brought. What was overlooked came after the cursor was stored with an id that it had passed; it is looked for as in the view
-- pending.
SELECT
    stream.id, stream.destination, stream.slot_low, stream.slot_high, stream.position, stream.paused_at,
    stream.committed_at, stream.down_reason,
    (extract(epoch FROM now() - nullif(nullif(stream.down_since, 'infinity'), '-infinity')) * 1000000)::bigint AS down_microseconds,
    fresh.messages + late.messages + overlooked.messages AS lag,
    (extract(epoch FROM now() - nullif(nullif(least(oldest.created_at, late.created_at, overlooked.created_at), 'infinity'), '-infinity')) * 1000000)::bigint AS oldest_microseconds,
    waiting.messages AS deferred,
    (extract(epoch FROM now() - nullif(nullif(waiting.since, 'infinity'), '-infinity')) * 1000000)::bigint AS deferred_microseconds,
    dead.messages AS dead, nullif(nullif(dead.died_at, 'infinity'), '-infinity') AS died_at
FROM {{schema}}.stream
{{overlooked_way}}
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM (
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
        LIMIT $2
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
                part.id + 0 <= stream.catchup_position AND pg_visible_in_snapshot(part.xid, stream.catchup_snapshot),
                false)
        LIMIT $2
    ) AS counted
) AS late
CROSS JOIN LATERAL (
    SELECT count(*) AS messages, min(counted.created_at) AS created_at
    FROM (
        {{overlooked}}
        LIMIT $2
    ) AS counted
) AS overlooked
CROSS JOIN LATERAL (
    -- One that waits for its time, and has not failed, is not late. A failure that was no attempt, of a destination that is down, is one too.
    SELECT
        count(*) AS messages,
        min(greatest(counted.created_at, counted.deliver_at)) FILTER (
            WHERE counted.attempts > 0 OR counted.last_error IS NOT NULL OR counted.deliver_at IS NULL OR counted.deliver_at < now()
        ) AS since
    FROM (
        SELECT deferred.created_at, deferred.deliver_at, deferred.attempts, deferred.last_error
        FROM {{schema}}.deferred
        WHERE deferred.subscription = stream.subscription AND deferred.destination = stream.destination
            AND {{schema}}.slot(deferred.key, deferred.id) BETWEEN stream.slot_low AND stream.slot_high
        LIMIT $2
    ) AS counted
) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS messages, max(counted.died_at) AS died_at
    FROM (
        -- In two branches too: a slot is not computed for each where a stream has all.
        SELECT dead_letter.died_at
        FROM {{schema}}.dead_letter
        WHERE stream.slot_low = 0 AND stream.slot_high = 1023
            AND dead_letter.destination = stream.destination AND dead_letter.subscription = stream.subscription
        UNION ALL
        SELECT dead_letter.died_at
        FROM {{schema}}.dead_letter
        WHERE (stream.slot_low > 0 OR stream.slot_high < 1023)
            AND dead_letter.destination = stream.destination AND dead_letter.subscription = stream.subscription
            AND {{schema}}.slot(dead_letter.key, dead_letter.id) BETWEEN stream.slot_low AND stream.slot_high
        LIMIT $2
    ) AS counted
) AS dead
WHERE stream.subscription = $1 AND ($3::text IS NULL OR stream.destination = $3)
ORDER BY stream.destination, stream.slot_low

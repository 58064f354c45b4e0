-- The same for every key of some streams: what waits for a message that was removed by hand would wait for ever. What another session
-- keeps locked is left alone: it tells when it has changed something, but not when it ends without a change. $1 subscription, $2 the
-- streams' destinations, $3 and $4 their slots.
-- Returns how many keys were left alone for that, or for a message that was removed meanwhile.
WITH
first AS MATERIALIZED (
    SELECT DISTINCT ON (asked.destination, waiting.key) waiting.id, waiting.next_attempt_at
    FROM unnest($2::text[], $3::integer[], $4::integer[]) AS asked (destination, slot_low, slot_high)
    -- As in read_keys.
    CROSS JOIN LATERAL (
        SELECT id, key, ordered, next_attempt_at
        FROM {{schema}}.deferred
        WHERE (destination, subscription, next_attempt_at) >= (asked.destination, $1, '-infinity'::timestamptz)
            AND (destination, subscription, next_attempt_at) <= (asked.destination, $1, 'infinity'::timestamptz)
        OFFSET 0
    ) AS waiting
    WHERE waiting.ordered AND {{schema}}.slot(waiting.key, waiting.id) BETWEEN asked.slot_low AND asked.slot_high
    ORDER BY asked.destination, waiting.key, waiting.id
),
free AS MATERIALIZED (
    SELECT deferred.id
    FROM first
    CROSS JOIN LATERAL (
        SELECT row.id FROM {{schema}}.deferred AS row
        WHERE row.id = first.id AND row.subscription = $1
        FOR UPDATE SKIP LOCKED
    ) AS deferred
    WHERE first.next_attempt_at = 'infinity'
),
promoted AS (
    UPDATE {{schema}}.deferred
    SET next_attempt_at = now()
    FROM free
    WHERE deferred.subscription = $1 AND deferred.id = free.id
)
SELECT (SELECT count(*) FROM first WHERE next_attempt_at = 'infinity') - (SELECT count(*) FROM free) AS skipped

-- The same for every key: what waits for a message that was removed by hand would wait for ever. What another session keeps
-- locked is left alone: it tells when it has changed something, but not when it ends without a change. $1 subscription.
-- Returns how many keys were left alone for that, or for a message that was removed meanwhile.
WITH
first AS MATERIALIZED (
    SELECT DISTINCT ON (destination, key) id, next_attempt_at
    FROM {{schema}}.deferred
    WHERE subscription = $1 AND ordered
    ORDER BY destination, key, id
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

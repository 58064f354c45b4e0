-- The same for every key: what waits for a message that somebody has removed by hand would wait for ever. $1 subscription.
UPDATE {{schema}}.deferred
SET next_attempt_at = now()
FROM (
    SELECT DISTINCT ON (destination, key) id, next_attempt_at
    FROM {{schema}}.deferred
    WHERE subscription = $1 AND ordered
    ORDER BY destination, key, id
) AS first
WHERE deferred.subscription = $1 AND deferred.id = first.id AND first.next_attempt_at = 'infinity'

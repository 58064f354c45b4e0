-- The deferred messages of a destination that are due, and behind each that is ordered those of its key that wait for it,
-- so that a key's queue is delivered in one go. held: an earlier message of its key is to be tried
-- first, and is not among them: not due yet, or beyond the limit.
-- $1 subscription, $2 destination, $3 messages, $4 bytes at most.
WITH due AS MATERIALIZED (
    SELECT id, key, ordered
    FROM {{schema}}.deferred
    WHERE subscription = $1 AND destination = $2 AND next_attempt_at <= now()
    ORDER BY next_attempt_at
    LIMIT $3
),
chosen AS MATERIALIZED (
    SELECT id FROM due
    UNION
    SELECT follower.id
    FROM due
    CROSS JOIN LATERAL (
        SELECT waiting.id
        FROM {{schema}}.deferred AS waiting
        WHERE waiting.subscription = $1 AND waiting.destination = $2 AND waiting.key = due.key AND waiting.ordered
            AND waiting.id > due.id AND waiting.next_attempt_at = 'infinity'
        ORDER BY waiting.id
        LIMIT $3
    ) AS follower
    WHERE due.ordered
)
SELECT
    id, slot, created_at, route, key, headers, options, payload, false AS scheduled, attempts, ordered,
    coalesce(key IS NOT NULL AND EXISTS (
        SELECT FROM {{schema}}.deferred AS earlier
        WHERE earlier.subscription = $1 AND earlier.destination = $2 AND earlier.key = page.key AND earlier.ordered
            AND earlier.id < page.id AND earlier.id NOT IN (SELECT id FROM chosen)
    ), false) AS held
FROM (
    SELECT
        deferred.*,
        sum(octet_length(payload)) OVER (ORDER BY deferred.id ROWS UNBOUNDED PRECEDING) - octet_length(payload)
            AS bytes_before
    FROM chosen
    JOIN {{schema}}.deferred ON deferred.subscription = $1 AND deferred.id = chosen.id
    ORDER BY deferred.id
    LIMIT $3
) AS page
WHERE bytes_before < $4
ORDER BY id

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
),
page AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT
            deferred.*,
            sum(octet_length(payload)) OVER (ORDER BY deferred.id ROWS UNBOUNDED PRECEDING) - octet_length(payload)
                AS bytes_before
        FROM chosen
        JOIN {{schema}}.deferred ON deferred.subscription = $1 AND deferred.id = chosen.id
        ORDER BY deferred.id
        LIMIT $3
    ) AS candidates
    WHERE bytes_before < $4
),
-- Once for every key, not for every message: the first of its ordered messages that is not among them.
missing AS MATERIALIZED (
    SELECT keys.key, first.id
    FROM (SELECT DISTINCT key FROM page WHERE key IS NOT NULL) AS keys
    CROSS JOIN LATERAL (
        SELECT other.id
        FROM {{schema}}.deferred AS other
        WHERE other.subscription = $1 AND other.destination = $2 AND other.key = keys.key AND other.ordered
            AND other.id NOT IN (SELECT id FROM chosen)
        ORDER BY other.id
        LIMIT 1
    ) AS first
)
SELECT
    page.id, slot, created_at, route, page.key, headers, options, payload, false AS scheduled, attempts, ordered,
    coalesce(missing.id < page.id, false) AS held
FROM page
LEFT JOIN missing ON missing.key = page.key
ORDER BY page.id

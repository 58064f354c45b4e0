-- The deferred messages of a stream that are due, and behind each that is ordered those of its key that wait for it,
-- so that a key's queue is delivered in one go. held: an earlier message of its key is to be tried
-- first, and is not among them: not due yet, or beyond the limit. Messages of one key have one slot, so a queue is one stream's.
-- $1 subscription, $2 destination, $3 messages, $4 bytes at most, $5 those that a handler is working on, $6 and $7 slots.
WITH due AS MATERIALIZED (
    SELECT id, key, ordered
    FROM {{schema}}.deferred
    WHERE (destination, subscription, next_attempt_at) >= ($2, $1, '-infinity'::timestamptz)
        AND (destination, subscription, next_attempt_at) <= ($2, $1, now())
        AND id <> ALL ($5::bigint[]) AND {{schema}}.slot(key, id) BETWEEN $6 AND $7
    ORDER BY destination, subscription, next_attempt_at
    LIMIT $3
),
-- Key by key, and no further than a page: what waits behind a thousand keys is not looked at for each page.
chosen AS MATERIALIZED (
    SELECT DISTINCT candidate.id
    FROM (
        SELECT queue.id
        FROM due
        CROSS JOIN LATERAL (
            SELECT due.id
            UNION ALL
            (
                SELECT waiting.id
                FROM {{schema}}.deferred AS waiting
                WHERE due.ordered AND waiting.ordered AND coalesce(waiting.next_attempt_at, now()) = 'infinity'
                    AND (waiting.key, waiting.destination, waiting.subscription, waiting.id) > (due.key, $2, $1, due.id)
                    AND (waiting.key, waiting.destination, waiting.subscription, waiting.id)
                        <= (due.key, $2, $1, 9223372036854775807)
                ORDER BY waiting.key, waiting.destination, waiting.subscription, waiting.id
                LIMIT $3
            )
        ) AS queue
        LIMIT $3
    ) AS candidate
),
page AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT
            deferred.*,
            sum(octet_length(payload) + coalesce(octet_length(headers::text), 0))
                OVER (ORDER BY deferred.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM chosen
        -- One lookup each: joined openly, the whole table would be read in the order of the page.
        CROSS JOIN LATERAL (
            SELECT * FROM {{schema}}.deferred AS row WHERE row.id = chosen.id AND row.subscription = $1 OFFSET 0
        ) AS deferred
        ORDER BY deferred.id
        LIMIT $3
    ) AS candidates
    WHERE coalesce(bytes_before, 0) < $4
),
-- Once for every key, not for every message: the first of its ordered messages that is not among them.
missing AS MATERIALIZED (
    SELECT keys.key, first.id
    FROM (SELECT DISTINCT key FROM page WHERE key IS NOT NULL) AS keys
    CROSS JOIN LATERAL (
        SELECT other.id
        FROM {{schema}}.deferred AS other
        WHERE other.ordered AND other.id NOT IN (SELECT id FROM chosen)
            AND (other.key, other.destination, other.subscription, other.id) >= (keys.key, $2, $1, 0)
            AND (other.key, other.destination, other.subscription, other.id)
                <= (keys.key, $2, $1, 9223372036854775807)
        ORDER BY other.key, other.destination, other.subscription, other.id
        LIMIT 1
    ) AS first
)
SELECT
    page.id, {{schema}}.slot(page.key, page.id) AS slot, false AS scheduled, page.payload, {{message.read of page}}, attempts, ordered,
    coalesce(missing.id < page.id, false) AS held
FROM page
LEFT JOIN missing ON missing.key = page.key
ORDER BY page.id

-- Destinations of which there are messages and no stream of the subscription, and how many up to a limit. $1 subscription,
-- $2 limit. The index is not read through but jumped through: one step per destination.
WITH RECURSIVE present (destination) AS (
    (SELECT message.destination FROM {{schema}}.message ORDER BY message.destination LIMIT 1)
    UNION ALL
    SELECT (
        SELECT message.destination
        FROM {{schema}}.message
        WHERE message.destination > present.destination
        ORDER BY message.destination
        LIMIT 1
    )
    FROM present
    WHERE present.destination IS NOT NULL
)
SELECT
    present.destination, counted.messages,
    coalesce((extract(epoch FROM now() - nullif(nullif(oldest.created_at, 'infinity'), '-infinity')) * 1000000)::bigint, 0) AS oldest_microseconds
FROM present
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM (
        SELECT FROM {{schema}}.message WHERE message.destination = present.destination LIMIT $2
    ) AS message
) AS counted
CROSS JOIN LATERAL (
    SELECT message.created_at
    FROM {{schema}}.message
    WHERE message.destination = present.destination
    ORDER BY message.id
    LIMIT 1
) AS oldest
WHERE present.destination IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM {{schema}}.stream
        WHERE stream.subscription = $1 AND stream.destination = present.destination
    )
ORDER BY present.destination

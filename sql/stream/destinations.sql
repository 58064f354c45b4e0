-- The destinations that a subscription has streams of, and those that there are messages for and no stream yet. $1 subscription. The index
-- is not read through but jumped through: one step per destination.
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
SELECT present.destination
FROM present
WHERE present.destination IS NOT NULL
UNION
SELECT stream.destination
FROM {{schema}}.stream
WHERE stream.subscription = $1

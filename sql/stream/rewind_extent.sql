-- How many messages a rewind would have delivered again, counted up to a limit. $1 subscription, $2 destination, $3 id, $4 limit.
SELECT count(*)
FROM (
    SELECT
    FROM {{schema}}.stream
    JOIN {{schema}}.message ON message.destination = stream.destination AND message.id BETWEEN $3 AND stream.position
    WHERE stream.subscription = $1 AND stream.destination = $2
        AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
    LIMIT $4
) AS counted

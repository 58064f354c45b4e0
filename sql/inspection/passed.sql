-- How many messages each stream's cursor has passed since it was elsewhere, counted up to a limit; none for a stream that was
-- rewound. What came late is not counted. $1 subscription, $2 limit, $3 streams, $4 their positions then.
SELECT stream.id, counted.messages
FROM unnest($3::integer[], $4::bigint[]) AS earlier (stream, position)
CROSS JOIN LATERAL (
    SELECT stream.id, stream.destination, stream.position, stream.slot_low, stream.slot_high
    FROM {{schema}}.stream
    WHERE stream.id = earlier.stream AND stream.subscription = $1 AND stream.position >= earlier.position
) AS stream
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM (
        -- In two branches, as in stream_status.
        SELECT
        FROM {{schema}}.message
        WHERE stream.slot_low = 0 AND stream.slot_high = 1023 AND message.destination = stream.destination
            AND message.id > earlier.position AND message.id <= stream.position
        UNION ALL
        SELECT
        FROM {{schema}}.message
        WHERE (stream.slot_low > 0 OR stream.slot_high < 1023) AND message.destination = stream.destination
            AND message.id > earlier.position AND message.id <= stream.position
            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
        LIMIT $2
    ) AS message
) AS counted

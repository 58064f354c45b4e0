-- Which streams have messages beyond their positions. Streams that are read by transaction numbers have none but those that have just
-- come; or rows were put into the log with numbers of another time. $1 streams, $2 their destinations, $3 their
-- positions, $4 and $5 their slots.
SELECT known.stream
FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::integer[], $5::integer[])
    AS known (stream, destination, position, slot_low, slot_high)
CROSS JOIN LATERAL (
    SELECT id
    FROM {{schema}}.message
    WHERE message.destination = known.destination AND message.id > known.position
        AND {{schema}}.slot(message.key, message.id) BETWEEN known.slot_low AND known.slot_high
    ORDER BY message.id
    LIMIT 1
) AS first

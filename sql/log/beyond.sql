-- Which streams have messages beyond their positions. Streams that are read by transaction numbers have none but those that have just
-- come; or rows were put into the log with numbers of another time. $1 streams, $2 their destinations, $3 their positions.
SELECT known.stream
FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS known (stream, destination, position)
CROSS JOIN LATERAL (
    SELECT id
    FROM {{schema}}.message
    WHERE message.destination = known.destination AND message.id > known.position
    ORDER BY message.id
    LIMIT 1
) AS first

-- A stream for every destination that has none, at the beginning of the log. $1 subscription, $2 destinations.
INSERT INTO {{schema}}.stream (subscription, destination, snapshot, position, horizon)
SELECT $1, destination, pg_current_snapshot(), 0, pg_current_xact_id()
FROM unnest($2::text[]) AS destination
WHERE NOT EXISTS (
    SELECT FROM {{schema}}.stream
    WHERE stream.subscription = $1 AND stream.destination = destination.destination
)
ON CONFLICT DO NOTHING

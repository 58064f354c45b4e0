-- Streams for every destination that has none, at the beginning of the log, with as many slots each. Of relays that do that at the same time, the
-- one that makes the stream of the lowest slots makes the rest. $1 subscription, $2 destinations, $3 how many streams.
WITH
first AS (
    INSERT INTO {{schema}}.stream (subscription, destination, slot_high, snapshot, position, horizon)
    SELECT $1, destination, 1024 / $3 - 1, pg_current_snapshot(), 0, pg_current_xact_id()
    FROM unnest($2::text[]) AS destination
    WHERE NOT EXISTS (
        SELECT FROM {{schema}}.stream
        WHERE stream.subscription = $1 AND stream.destination = destination.destination
    )
    ON CONFLICT DO NOTHING
    RETURNING destination, snapshot, horizon
)
INSERT INTO {{schema}}.stream (subscription, destination, slot_low, slot_high, snapshot, position, horizon)
SELECT
    $1, first.destination, number * 1024 / $3, (number + 1) * 1024 / $3 - 1, first.snapshot, 0, first.horizon
FROM first
CROSS JOIN generate_series(1, $3 - 1) AS number

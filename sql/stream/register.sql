-- Streams for every destination that has none, with as many slots each. Of relays that do that at the same time, the one that makes the stream of
-- the lowest slots makes the rest, and decides where they begin. $1 subscription, $2 destinations, $3 how many streams, $4 the destinations that
-- begin with what is committed from now on, $5 whether all do of a subscription that has no stream; others begin at the beginning of the log.
--
-- Now is this statement's snapshot, with the log's last id as the position. The id is read after the snapshot was taken: what the snapshot
-- sees is not above it, and so is not read. And it is read before this transaction has a number, which is the horizon: whatever has such an id
-- and is not visible yet has a lower number, and is late. So the id comes from below the projection, which draws the stream's own id, and with
-- that the number; and nothing before this statement may have given the transaction one.
WITH
reached AS MATERIALIZED (
    SELECT {{schema}}.last_id() AS id
),
first AS (
    INSERT INTO {{schema}}.stream (subscription, destination, slot_high, snapshot, position, horizon)
    SELECT
        $1, destination, 1024 / $3 - 1, pg_current_snapshot(),
        CASE
            WHEN destination = ANY ($4::text[])
                OR $5 AND NOT EXISTS (SELECT FROM {{schema}}.stream WHERE stream.subscription = $1)
            THEN reached.id
            ELSE 0
        END,
        pg_current_xact_id()
    FROM reached
    CROSS JOIN unnest($2::text[]) AS destination
    WHERE NOT EXISTS (
        SELECT FROM {{schema}}.stream
        WHERE stream.subscription = $1 AND stream.destination = destination.destination
    )
    ON CONFLICT DO NOTHING
    RETURNING destination, snapshot, position, horizon
)
INSERT INTO {{schema}}.stream (subscription, destination, slot_low, slot_high, snapshot, position, horizon)
SELECT
    $1, first.destination, number * 1024 / $3, (number + 1) * 1024 / $3 - 1, first.snapshot, first.position, first.horizon
FROM first
CROSS JOIN generate_series(1, $3 - 1) AS number

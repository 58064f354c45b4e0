-- Divides streams of a destination: each of the ranges $3 to $4 lies within one, and has its cursor from now on. Nothing of the streams may be on
-- its way. $1 subscription, $2 destination.
WITH
part AS MATERIALIZED (
    SELECT stream.*, range.low, range.high
    FROM unnest($3::smallint[], $4::smallint[]) AS range (low, high)
    JOIN {{schema}}.stream ON range.low BETWEEN stream.slot_low AND stream.slot_high
    WHERE stream.subscription = $1 AND stream.destination = $2
),
narrowed AS (
    UPDATE {{schema}}.stream
    SET slot_high = part.high
    FROM part
    WHERE stream.id = part.id AND stream.slot_low = part.low
),
new AS (
    INSERT INTO {{schema}}.stream (
        subscription, destination, slot_low, slot_high, snapshot, position, horizon, catchup_snapshot, catchup_position, starts, suspect,
        suspect_attempts, paused_at, committed_at
    )
    SELECT
        subscription, destination, low, high, snapshot, position, horizon, catchup_snapshot, catchup_position, starts, suspect,
        suspect_attempts, paused_at, committed_at
    FROM part
    WHERE low <> slot_low
    RETURNING 1
)
SELECT (SELECT count(*) FROM part) AS parts, (SELECT count(*) FROM new) AS new

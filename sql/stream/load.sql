-- The streams of a subscription for some destinations. $1 subscription, $2 destinations.
SELECT
    id, destination, slot_low, slot_high, snapshot, position, horizon, catchup_snapshot, catchup_position, ctid,
    paused_at IS NOT NULL AS is_paused, generation, starts, suspect, suspect_attempts,
    down_reason IS NOT NULL AS is_noted_down
FROM {{schema}}.stream
WHERE subscription = $1 AND destination = ANY ($2::text[])
ORDER BY id

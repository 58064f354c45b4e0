-- The keys that later messages have to queue for, and how many messages each has. $1 subscription, $2 streams, $3 their destinations,
-- $4 and $5 their slots.
SELECT asked.stream, waiting.key, count(*)
FROM unnest($2::integer[], $3::text[], $4::integer[], $5::integer[]) AS asked (stream, destination, slot_low, slot_high)
-- One range of deferred_due for each stream: joined openly, an empty table would be read from end to end.
CROSS JOIN LATERAL (
    SELECT id, key, ordered
    FROM {{schema}}.deferred
    WHERE (destination, subscription, next_attempt_at) >= (asked.destination, $1, '-infinity'::timestamptz)
        AND (destination, subscription, next_attempt_at) <= (asked.destination, $1, 'infinity'::timestamptz)
    OFFSET 0
) AS waiting
WHERE waiting.ordered AND waiting.key IS NOT NULL
    AND {{schema}}.slot(waiting.key, waiting.id) BETWEEN asked.slot_low AND asked.slot_high
GROUP BY asked.stream, waiting.key

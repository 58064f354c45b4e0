-- The same for many streams at once: those without a deferred message that is ever due have no row. $1 subscription, $2 streams, $3 their
-- destinations, $4 and $5 their slots.
SELECT asked.stream, first.microseconds
FROM unnest($2::integer[], $3::text[], $4::integer[], $5::integer[]) AS asked (stream, destination, slot_low, slot_high)
CROSS JOIN LATERAL (
    SELECT CASE WHEN next_attempt_at > now() THEN (extract(epoch FROM next_attempt_at - now()) * 1000000)::bigint ELSE 0 END AS microseconds
    FROM {{schema}}.deferred
    WHERE (destination, subscription, next_attempt_at) >= (asked.destination, $1, '-infinity'::timestamptz)
        AND (destination, subscription, next_attempt_at) < (asked.destination, $1, 'infinity'::timestamptz)
        AND {{schema}}.slot(key, id) BETWEEN asked.slot_low AND asked.slot_high
    ORDER BY destination, subscription, next_attempt_at
    LIMIT 1
) AS first

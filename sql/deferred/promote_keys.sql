-- The first waiting message of each key is due now. $1 subscription, $2 destination, $3 keys. A key's messages are asked for
-- as a range of deferred_key, in its order, as everywhere here.
UPDATE {{schema}}.deferred
SET next_attempt_at = now()
FROM (SELECT DISTINCT key FROM unnest($3::text[]) AS keys (key)) AS touched
CROSS JOIN LATERAL (
    SELECT waiting.id, waiting.next_attempt_at
    FROM {{schema}}.deferred AS waiting
    WHERE waiting.ordered
        AND (waiting.key, waiting.destination, waiting.subscription, waiting.id) >= (touched.key, $2, $1, 0)
        AND (waiting.key, waiting.destination, waiting.subscription, waiting.id)
            <= (touched.key, $2, $1, 9223372036854775807)
    ORDER BY waiting.key, waiting.destination, waiting.subscription, waiting.id
    LIMIT 1
) AS first
WHERE deferred.id = first.id AND deferred.subscription = $1 AND first.next_attempt_at = 'infinity'

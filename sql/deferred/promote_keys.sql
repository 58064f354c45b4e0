-- The first waiting message of each key is due now. $1 subscription, $2 destination, $3 keys.
UPDATE {{schema}}.deferred
SET next_attempt_at = now()
FROM (SELECT DISTINCT key FROM unnest($3::text[]) AS keys (key)) AS touched
CROSS JOIN LATERAL (
    SELECT waiting.id, waiting.next_attempt_at
    FROM {{schema}}.deferred AS waiting
    WHERE waiting.subscription = $1 AND waiting.destination = $2 AND waiting.key = touched.key AND waiting.ordered
    ORDER BY waiting.id
    LIMIT 1
) AS first
WHERE deferred.subscription = $1 AND deferred.id = first.id AND first.next_attempt_at = 'infinity'

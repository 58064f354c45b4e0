-- In how many microseconds the next deferred message of a stream is due. $1 subscription, $2 destination, $3 those that a
-- handler is working on, $4 and $5 slots.
SELECT CASE WHEN next_attempt_at > now() THEN (extract(epoch FROM next_attempt_at - now()) * 1000000)::bigint ELSE 0 END
FROM {{schema}}.deferred
WHERE (destination, subscription, next_attempt_at) >= ($2, $1, '-infinity'::timestamptz)
    AND (destination, subscription, next_attempt_at) < ($2, $1, 'infinity'::timestamptz)
    AND id <> ALL ($3::bigint[]) AND {{schema}}.slot(key, id) BETWEEN $4 AND $5
ORDER BY destination, subscription, next_attempt_at
LIMIT 1

-- In how many microseconds the next deferred message of a destination is due. $1 subscription, $2 destination, $3 those that a
-- handler is working on.
SELECT CASE WHEN next_attempt_at > now() THEN (extract(epoch FROM next_attempt_at - now()) * 1000000)::bigint ELSE 0 END
FROM {{schema}}.deferred
WHERE (destination, subscription, next_attempt_at) >= ($2, $1, '-infinity'::timestamptz)
    AND (destination, subscription, next_attempt_at) < ($2, $1, 'infinity'::timestamptz)
    AND id <> ALL ($3::bigint[])
ORDER BY destination, subscription, next_attempt_at
LIMIT 1

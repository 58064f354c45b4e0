-- In how many microseconds the next deferred message of a destination is due. $1 subscription, $2 destination.
SELECT (extract(epoch FROM next_attempt_at - now()) * 1000000)::bigint
FROM {{schema}}.deferred
WHERE subscription = $1 AND destination = $2 AND next_attempt_at < 'infinity'
ORDER BY next_attempt_at
LIMIT 1

-- The first message of a destination that was enqueued at a time or later. Ids and times are not in the same order (the time
-- is that of the transaction's begin), so nothing but looking at them from the first one on is exact. $1 destination, $2 time.
SELECT id
FROM {{schema}}.message
WHERE destination = $1 AND created_at >= $2
ORDER BY id
LIMIT 1

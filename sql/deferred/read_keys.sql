-- The keys that later messages have to queue for. $1 subscription, $2 destinations.
SELECT destination, key, count(*)
FROM {{schema}}.deferred
WHERE subscription = $1 AND destination = ANY ($2::text[]) AND ordered AND key IS NOT NULL
GROUP BY destination, key

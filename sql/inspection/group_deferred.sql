-- Errors of deferred messages, the most frequent first. Long numbers in them are no difference, nor are UUIDs. $8 how many at most.
SELECT
    destination, NULL::text AS reason, coalesce(min(last_error), '') AS error, count(*) AS messages, min(deferred_at) AS first_at,
    max(deferred_at) AS last_at
FROM {{schema}}.deferred
WHERE last_error IS NOT NULL AND {{filter}}
GROUP BY destination, regexp_replace(last_error, '[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{4,}', '0', 'g')
ORDER BY count(*) DESC, destination, error
LIMIT $8

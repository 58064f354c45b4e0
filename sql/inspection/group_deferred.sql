-- Errors of deferred messages that have been tried, the most frequent first. Numbers in them are no difference. $8 how many at most.
SELECT
    destination, NULL::text AS reason, coalesce(min(last_error), '') AS error, count(*) AS messages, min(deferred_at) AS first_at,
    max(deferred_at) AS last_at
FROM {{schema}}.deferred
WHERE attempts > 0 AND {{filter}}
GROUP BY destination, regexp_replace(last_error, '[0-9]+', '0', 'g')
ORDER BY count(*) DESC, destination, error
LIMIT $8

-- Errors of dead letters, the most frequent first. Long numbers in them are no difference, nor are UUIDs. $8 how many at most.
SELECT
    destination, reason, coalesce(min(last_error), '') AS error, count(*) AS messages, min(died_at) AS first_at,
    max(died_at) AS last_at
FROM {{schema}}.dead_letter
WHERE {{filter}}
GROUP BY destination, reason, regexp_replace(last_error, '[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{4,}', '0', 'g')
ORDER BY count(*) DESC, destination, error
LIMIT $8

-- Errors of dead letters, the most frequent first. Numbers in them are no difference. $8 how many at most.
SELECT
    destination, reason, coalesce(min(last_error), '') AS error, count(*) AS messages, min(died_at) AS first_at,
    max(died_at) AS last_at
FROM {{schema}}.dead_letter
WHERE {{filter}}
GROUP BY destination, reason, regexp_replace(last_error, '[0-9]+', '0', 'g')
ORDER BY count(*) DESC, destination, error
LIMIT $8

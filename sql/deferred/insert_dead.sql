-- Messages of the log that will not be tried again. $1 subscription, $2 destination, $3 ids, $4 attempts, $5 reasons,
-- $6 errors.
INSERT INTO {{schema}}.dead_letter (
    subscription, id, {{message.kept}}, attempts, reason, last_error
)
SELECT
    $1, message.id, {{message.kept of message}}, verdict.attempts, verdict.reason, verdict.error
FROM unnest($3::bigint[], $4::integer[], $5::text[], $6::text[]) AS verdict (id, attempts, reason, error)
CROSS JOIN LATERAL (
    SELECT * FROM {{schema}}.message WHERE destination = $2 AND id = verdict.id LIMIT 1
) AS message
ON CONFLICT DO NOTHING

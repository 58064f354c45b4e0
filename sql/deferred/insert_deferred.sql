-- Messages of the log that wait for a later attempt: the row is copied within the database. $1 subscription,
-- $2 destination, $3 ids, $4 attempts, $5 microseconds until the next (-1: when the earlier ones of its key are settled,
-- -2: at its deliver_at), $6 whether ordered (0 or 1), $7 errors. One that is there already came with a commit whose
-- answer was lost.
INSERT INTO {{schema}}.deferred (
    subscription, id, {{message.kept}}, attempts, next_attempt_at, ordered, last_error
)
SELECT
    $1, message.id, {{message.kept of message}}, verdict.attempts,
    CASE verdict.delay
        WHEN -1 THEN 'infinity'
        WHEN -2 THEN message.deliver_at
        ELSE now() + verdict.delay * interval '1 microsecond'
    END,
    verdict.ordered = 1, verdict.error
FROM unnest($3::bigint[], $4::integer[], $5::bigint[], $6::integer[], $7::text[])
    AS verdict (id, attempts, delay, ordered, error)
CROSS JOIN LATERAL (
    SELECT * FROM {{schema}}.message WHERE destination = $2 AND id = verdict.id LIMIT 1
) AS message
ON CONFLICT DO NOTHING

-- Deferred messages that wait once more. $1 subscription, $2 ids, $3 attempts, $4 microseconds until the next (-1: when
-- the earlier ones of its key are settled), $5 whether ordered (0 or 1), $6 errors.
UPDATE {{schema}}.deferred
SET attempts = verdict.attempts,
    next_attempt_at = CASE verdict.delay
        WHEN -1 THEN 'infinity'
        ELSE now() + verdict.delay * interval '1 microsecond'
    END,
    ordered = verdict.ordered = 1,
    last_error = coalesce(verdict.error, last_error)
FROM unnest($2::bigint[], $3::integer[], $4::bigint[], $5::integer[], $6::text[])
    AS verdict (id, attempts, delay, ordered, error)
WHERE deferred.id = verdict.id AND deferred.subscription = $1 AND deferred.id = ANY ($2::bigint[])

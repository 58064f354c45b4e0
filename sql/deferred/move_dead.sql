-- Deferred messages that will not be tried again. $1 subscription, $2 ids, $3 attempts, $4 reasons, $5 errors (null: what is
-- known already).
WITH gone AS (
    DELETE FROM {{schema}}.deferred
    USING unnest($2::bigint[], $3::integer[], $4::text[], $5::text[]) AS verdict (id, attempts, reason, error)
    WHERE deferred.id = verdict.id AND deferred.subscription = $1 AND deferred.id = ANY ($2::bigint[])
    RETURNING deferred.*, verdict.attempts AS all_attempts, verdict.reason, verdict.error
)
INSERT INTO {{schema}}.dead_letter (
    subscription, id, {{message.kept}}, attempts, reason, last_error
)
SELECT
    subscription, id, {{message.kept}}, all_attempts, reason, coalesce(error, last_error)
FROM gone
ON CONFLICT DO NOTHING

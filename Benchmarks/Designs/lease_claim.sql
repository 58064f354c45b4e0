-- Committed before anything is delivered. $1 messages.
UPDATE {{schema}}.lease_message
SET available_at = now() + interval '30 seconds', attempts = attempts + 1
WHERE id = ANY (ARRAY(
    SELECT id
    FROM {{schema}}.lease_message
    WHERE available_at <= now()
    ORDER BY available_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id, payload

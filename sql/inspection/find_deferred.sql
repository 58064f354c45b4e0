-- One deferred message with its payload. $1 subscription, $2 id.
SELECT
    subscription, id, {{message.kept}}, attempts, nullif(next_attempt_at, 'infinity') AS next_attempt_at, ordered, last_error,
    deferred_at, octet_length(payload) AS payload_size
FROM {{schema}}.deferred
WHERE subscription = $1 AND id = $2

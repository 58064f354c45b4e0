-- One deferred message with its payload. $1 subscription, $2 id. $3 how many bytes of the payload; null: all.
SELECT
    subscription, id, {{message.kept except payload}}, attempts, nullif(next_attempt_at, 'infinity') AS next_attempt_at, ordered, last_error,
    deferred_at, octet_length(payload) AS payload_size,
    CASE WHEN $3::integer IS NULL THEN payload ELSE substring(payload, 1, $3::integer) END AS payload
FROM {{schema}}.deferred
WHERE subscription = $1 AND id = $2

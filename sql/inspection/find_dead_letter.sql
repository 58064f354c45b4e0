-- One dead letter with its payload. $1 subscription, $2 id.
SELECT
    subscription, id, {{message.kept}}, attempts, reason, last_error, died_at,
    octet_length(payload) AS payload_size
FROM {{schema}}.dead_letter
WHERE subscription = $1 AND id = $2

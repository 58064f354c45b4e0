-- One dead letter with its payload. $1 subscription, $2 id.
SELECT
    subscription, id, destination, route, key, headers::text AS headers, created_at, attempts, reason, last_error, died_at,
    octet_length(payload) AS payload_size, payload
FROM {{schema}}.dead_letter
WHERE subscription = $1 AND id = $2

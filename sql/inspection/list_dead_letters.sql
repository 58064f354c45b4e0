-- Dead letters, the last one first, without their payloads. $8 how many at most, $9 how many to pass over.
SELECT
    subscription, id, {{message.kept except payload}}, attempts, reason, last_error, died_at,
    octet_length(payload) AS payload_size, NULL::bytea AS payload
FROM {{schema}}.dead_letter
WHERE {{filter}}
ORDER BY died_at DESC, id DESC
LIMIT $8
OFFSET $9

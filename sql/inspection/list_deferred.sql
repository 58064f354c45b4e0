-- Deferred messages without their payloads, those that are due next first. $8 how many at most, $9 how many to pass over.
SELECT
    subscription, id, {{message.kept except payload}}, attempts, nullif(next_attempt_at, 'infinity') AS next_attempt_at, ordered,
    last_error, deferred_at, octet_length(payload) AS payload_size, NULL::bytea AS payload
FROM {{schema}}.deferred
WHERE {{filter}}
ORDER BY deferred.next_attempt_at, id
LIMIT $8
OFFSET $9

-- Held to the end of the transaction; other workers pass. $1 messages.
SELECT id, payload
FROM {{schema}}.status_message
WHERE status = 'pending'
ORDER BY id
LIMIT $1
FOR UPDATE SKIP LOCKED

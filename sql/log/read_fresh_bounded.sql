-- Fresh, where payloads are long: the page ends with the message that reaches a number of bytes. $1 position, $2 destination,
-- $3 and $4 slots, $5 messages, $6 bytes at most. The running sum reads lengths only, it detoasts nothing.
SELECT id, slot, created_at, route, key, headers, options, payload, scheduled
FROM (
    SELECT
        id, {{schema}}.slot(key, id) AS slot, created_at, route, key, headers, options, payload,
        deliver_at > now() AS scheduled,
        sum(octet_length(payload)) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - octet_length(payload) AS bytes_before
    FROM {{schema}}.message
    WHERE destination = $2 AND id > $1 AND {{schema}}.slot(key, id) BETWEEN $3 AND $4
    ORDER BY id
    LIMIT $5
) AS page
WHERE bytes_before < $6
ORDER BY id

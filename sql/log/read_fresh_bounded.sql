-- Fresh, where payloads are long: the page ends with the message that reaches a number of bytes. $1 position, $2 destination,
-- $3 and $4 slots, $5 messages, $6 bytes at most. The running sum reads lengths only, and detoasts no payload.
-- Headers count as their text does.
SELECT id, slot, scheduled, payload, {{message.read}}
FROM (
    SELECT
        id, {{schema}}.slot(key, id) AS slot, deliver_at > now() AS scheduled, payload, {{message.read}},
        sum(octet_length(payload) + coalesce(octet_length(headers::text), 0))
            OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM {{schema}}.message
    WHERE destination = $2 AND id > $1 AND {{schema}}.slot(key, id) BETWEEN $3 AND $4
    ORDER BY id
    LIMIT $5
) AS page
WHERE coalesce(bytes_before, 0) < $6
ORDER BY id

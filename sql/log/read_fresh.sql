-- Fresh: messages with an id that the stream has not passed. $1 position, $2 destination, $3 and $4 slots, $5 messages at most,
-- $6 the longest payload that is returned with its headers; a longer one is null. Without a running sum, which costs as much as
-- all the rest: that many messages of that length are no more than a page may have. Of headers, the stored size is at hand; of
-- compressed ones it says little.
SELECT
    id, {{schema}}.slot(key, id) AS slot, deliver_at > now() AS scheduled,
    CASE
        WHEN octet_length(payload) + coalesce(pg_column_size(headers), 0) <= $6 AND pg_column_compression(headers) IS NULL
        THEN payload
    END AS payload,
    {{message.read}}
FROM {{schema}}.message
WHERE destination = $2 AND id > $1 AND {{schema}}.slot(key, id) BETWEEN $3 AND $4
ORDER BY id
LIMIT $5

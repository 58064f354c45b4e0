-- Several messages of which some have idempotency keys: $1 the idempotency keys or nulls, $2 their window, from $3 on as in
-- enqueue_many. One after the other, so that one with the key of an earlier one finds it.
SELECT
    {{schema}}.enqueue(
        {{message.sent.arguments of row}},
        idempotency_key => row.idempotency_key, idempotency_window => $2::pg_catalog.text::pg_catalog.interval
    ) AS id
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), {{message.sent.arrays from $3}}) WITH ORDINALITY
    AS row (idempotency_key, {{message.sent}}, position)
ORDER BY row.position

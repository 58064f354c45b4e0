-- Several messages of which some have idempotency keys: $1 to $7 as in enqueue_many, $8 the idempotency keys or nulls,
-- $9 their window. One after the other, so that one with the key of an earlier one finds it.
SELECT
    {{schema}}.enqueue(
        destination => row.destination, route => row.route, key => row.key, headers => row.headers,
        deliver_at => row.deliver_at, options => row.options, payload => row.payload,
        idempotency_key => row.idempotency_key, idempotency_window => $9::pg_catalog.text::pg_catalog.interval
    ) AS id
FROM ROWS FROM (
    pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
    pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.jsonb[]),
    pg_catalog.unnest($5::pg_catalog.timestamptz[]), pg_catalog.unnest($6::pg_catalog.jsonb[]),
    pg_catalog.unnest($7::pg_catalog.bytea[]), pg_catalog.unnest($8::pg_catalog.text[])
) WITH ORDINALITY
    AS row (destination, route, key, headers, deliver_at, options, payload, idempotency_key, position)
ORDER BY row.position

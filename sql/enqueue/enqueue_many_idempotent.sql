-- Several messages of which some have idempotency keys: $1 to $7 as in enqueue_many, $8 the idempotency keys or nulls,
-- $9 their window. One after the other, so that one with the key of an earlier one finds it.
SELECT
    {{schema}}.enqueue(
        destination => row.destination, route => row.route, key => row.key, headers => row.headers,
        deliver_at => row.deliver_at, options => row.options, payload => row.payload,
        idempotency_key => row.idempotency_key, idempotency_window => $9::text::interval
    ) AS id
FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[], $6::jsonb[], $7::bytea[], $8::text[])
    WITH ORDINALITY
    AS row (destination, route, key, headers, deliver_at, options, payload, idempotency_key, position)
ORDER BY row.position

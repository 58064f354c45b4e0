-- Several messages, the parameters as in enqueue_one, arrays of one length each. Sorted below the INSERT, whose defaults
-- are evaluated above: the ids are drawn in the order of the messages.
INSERT INTO {{schema}}.message (destination, route, key, headers, deliver_at, options, payload)
SELECT destination, route, key, headers, deliver_at, options, payload
FROM ROWS FROM (
    pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
    pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.jsonb[]),
    pg_catalog.unnest($5::pg_catalog.timestamptz[]), pg_catalog.unnest($6::pg_catalog.jsonb[]),
    pg_catalog.unnest($7::pg_catalog.bytea[])
) WITH ORDINALITY AS row (destination, route, key, headers, deliver_at, options, payload, position)
ORDER BY position
RETURNING id

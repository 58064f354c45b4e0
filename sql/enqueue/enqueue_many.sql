-- Several messages, the parameters as in enqueue_one, arrays of one length each. Sorted below the INSERT, whose defaults
-- are evaluated above: the ids are drawn in the order of the messages.
INSERT INTO {{schema}}.message (destination, route, key, headers, deliver_at, options, payload)
SELECT destination, route, key, headers, deliver_at, options, payload
FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[], $6::jsonb[], $7::bytea[])
    WITH ORDINALITY AS row (destination, route, key, headers, deliver_at, options, payload, position)
ORDER BY position
RETURNING id

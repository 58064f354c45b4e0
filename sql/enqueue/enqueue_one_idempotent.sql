-- One message with an idempotency key. $1 to $7 as in enqueue_one, $8 the idempotency key, $9 its window, such as
-- "1 day".
SELECT {{schema}}.enqueue(
    destination => $1, route => $2, key => $3, headers => $4, deliver_at => $5, options => $6, payload => $7::pg_catalog.bytea,
    idempotency_key => $8, idempotency_window => $9::pg_catalog.text::pg_catalog.interval
) AS id

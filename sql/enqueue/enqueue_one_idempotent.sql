-- One message with an idempotency key. $1 the idempotency key, $2 its window, such as "1 day", from $3 on as in enqueue_one.
SELECT {{schema}}.enqueue(
    {{message.sent.arguments from $3}},
    idempotency_key => $1::pg_catalog.text, idempotency_window => $2::pg_catalog.text::pg_catalog.interval
) AS id

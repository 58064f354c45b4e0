-- Undo 0004: a key that was enqueued before is enqueued again. The functions are those of 0001.

DROP VIEW {{schema}}.lag, {{schema}}.pending;
DROP FUNCTION
    {{schema}}.stream_lag(),
    {{schema}}.enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, text, text, text, jsonb, timestamptz, jsonb, text, interval),
    {{schema}}.enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb, text, interval);
DROP TABLE {{schema}}.idempotency;

-- Enqueue in the caller's transaction; returns the message's id. The constraints of
-- message refuse what is not valid.
CREATE FUNCTION {{schema}}.enqueue(
    destination text,
    payload     bytea,
    key         text        DEFAULT NULL,
    route       text        DEFAULT NULL,
    headers     jsonb       DEFAULT NULL,
    deliver_at  timestamptz DEFAULT NULL,
    options     jsonb       DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $outbox$
DECLARE
    message_id bigint;
BEGIN
    INSERT INTO {{schema}}.message (destination, payload, key, route, headers, deliver_at, options)
    VALUES (enqueue.destination, enqueue.payload, enqueue.key, enqueue.route,
            enqueue.headers, enqueue.deliver_at, enqueue.options)
    RETURNING id INTO message_id;
    RETURN message_id;
END
$outbox$;

CREATE FUNCTION {{schema}}.enqueue(
    destination text,
    payload     text,
    key         text        DEFAULT NULL,
    route       text        DEFAULT NULL,
    headers     jsonb       DEFAULT NULL,
    deliver_at  timestamptz DEFAULT NULL,
    options     jsonb       DEFAULT NULL
) RETURNS bigint LANGUAGE sql AS $outbox$
    SELECT {{schema}}.enqueue(destination, convert_to(payload, 'UTF8'), key, route, headers, deliver_at, options)
$outbox$;

CREATE FUNCTION {{schema}}.enqueue(
    destination text,
    payload     jsonb,
    key         text        DEFAULT NULL,
    route       text        DEFAULT NULL,
    headers     jsonb       DEFAULT NULL,
    deliver_at  timestamptz DEFAULT NULL,
    options     jsonb       DEFAULT NULL
) RETURNS bigint LANGUAGE sql AS $outbox$
    SELECT {{schema}}.enqueue(destination, convert_to(payload::text, 'UTF8'), key, route, headers, deliver_at, options)
$outbox$;

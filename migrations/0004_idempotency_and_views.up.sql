-- 0004 idempotency_and_views: keys that make enqueueing repeatable, and views of what waits for people and their tools.

-- The keys with which messages were enqueued. A transaction that brings a key for the second time waits for the first
-- one to end, as the primary key makes it; it is told the first one's message, and inserts nothing. message_id is null
-- only within the call that enqueues. A row that has expired counts as gone, whether or not it has been removed.
CREATE TABLE {{schema}}.idempotency (
    destination text        NOT NULL,
    key         text        NOT NULL,
    message_id  bigint,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (destination, key),
    CONSTRAINT idempotency_key_length CHECK (octet_length(key) BETWEEN 1 AND 1024)
) WITH (fillfactor = 80);    -- room for message_id, so that no index is touched
-- Serves the removal of what has expired.
CREATE INDEX idempotency_expires_at ON {{schema}}.idempotency (expires_at);

DROP FUNCTION
    {{schema}}.enqueue(text, bytea, text, text, jsonb, timestamptz, jsonb),
    {{schema}}.enqueue(text, text, text, text, jsonb, timestamptz, jsonb),
    {{schema}}.enqueue(text, jsonb, text, text, jsonb, timestamptz, jsonb);

-- Enqueue in the caller's transaction; returns the message's id. The constraints of message refuse what is not valid.
-- With an idempotency key that the destination has had within its window: returns the id of then, and inserts nothing.
CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            bytea,
    key                text        DEFAULT NULL,
    route              text        DEFAULT NULL,
    headers            jsonb       DEFAULT NULL,
    deliver_at         timestamptz DEFAULT NULL,
    options            jsonb       DEFAULT NULL,
    idempotency_key    text        DEFAULT NULL,
    idempotency_window interval    DEFAULT '1 day'
) RETURNS bigint LANGUAGE plpgsql AS $outbox$
DECLARE
    new_id bigint;
    old_id bigint;
BEGIN
    WHILE enqueue.idempotency_key IS NOT NULL LOOP
        -- Most repetitions end here: nothing is written or locked for them.
        SELECT first.message_id INTO old_id
        FROM {{schema}}.idempotency AS first
        WHERE first.destination = enqueue.destination AND first.key = enqueue.idempotency_key
            AND first.expires_at > pg_catalog.now();
        IF FOUND THEN
            RETURN old_id;
        END IF;
        -- Waits for whoever is enqueueing with this key or taking it over. Where they have, look again.
        INSERT INTO {{schema}}.idempotency AS first (destination, key, expires_at)
        VALUES (enqueue.destination, enqueue.idempotency_key, pg_catalog.now() + enqueue.idempotency_window)
        ON CONFLICT ON CONSTRAINT idempotency_pkey DO UPDATE SET message_id = NULL, expires_at = excluded.expires_at
            WHERE first.expires_at <= pg_catalog.now();
        EXIT WHEN FOUND;
    END LOOP;

    INSERT INTO {{schema}}.message (destination, payload, key, route, headers, deliver_at, options)
    VALUES (enqueue.destination, enqueue.payload, enqueue.key, enqueue.route,
            enqueue.headers, enqueue.deliver_at, enqueue.options)
    RETURNING id INTO new_id;

    IF enqueue.idempotency_key IS NOT NULL THEN
        UPDATE {{schema}}.idempotency AS first SET message_id = new_id
        WHERE first.destination = enqueue.destination AND first.key = enqueue.idempotency_key;
    END IF;
    RETURN new_id;
END
$outbox$;

CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            text,
    key                text        DEFAULT NULL,
    route              text        DEFAULT NULL,
    headers            jsonb       DEFAULT NULL,
    deliver_at         timestamptz DEFAULT NULL,
    options            jsonb       DEFAULT NULL,
    idempotency_key    text        DEFAULT NULL,
    idempotency_window interval    DEFAULT '1 day'
) RETURNS bigint LANGUAGE sql AS $outbox$
    SELECT {{schema}}.enqueue(
        destination, convert_to(payload, 'UTF8'), key, route, headers, deliver_at, options,
        idempotency_key, idempotency_window)
$outbox$;

CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            jsonb,
    key                text        DEFAULT NULL,
    route              text        DEFAULT NULL,
    headers            jsonb       DEFAULT NULL,
    deliver_at         timestamptz DEFAULT NULL,
    options            jsonb       DEFAULT NULL,
    idempotency_key    text        DEFAULT NULL,
    idempotency_window interval    DEFAULT '1 day'
) RETURNS bigint LANGUAGE sql AS $outbox$
    SELECT {{schema}}.enqueue(
        destination, convert_to(payload::text, 'UTF8'), key, route, headers, deliver_at, options,
        idempotency_key, idempotency_window)
$outbox$;

-- What of the log each subscription has not handled, by what its cursors say; what waits for a later attempt is in
-- deferred. For people: WHERE and LIMIT reach the indexes. No payload and no headers: whoever may read message joins it
-- by (destination, id).
CREATE VIEW {{schema}}.pending AS
SELECT
    stream.subscription, stream.destination, unhandled.id, unhandled.slot, unhandled.created_at, unhandled.deliver_at,
    unhandled.route, unhandled.key
FROM {{schema}}.stream
CROSS JOIN LATERAL (
    SELECT message.id, message.slot, message.created_at, message.deliver_at, message.route, message.key
    FROM {{schema}}.message
    WHERE message.destination = stream.destination AND message.id > stream.position
        AND message.slot BETWEEN stream.slot_low AND stream.slot_high
    UNION ALL
    SELECT late.id, late.slot, late.created_at, late.deliver_at, late.route, late.key
    FROM (
        -- Two branches, so that each is a condition on xid; no more of these columns is compared bare.
        SELECT
            message.xid, message.id, message.slot, message.destination, message.created_at, message.deliver_at,
            message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
        UNION ALL
        SELECT
            message.xid, message.id, message.slot, message.destination, message.created_at, message.deliver_at,
            message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
    ) AS late
    WHERE late.id + 0 <= stream.position AND late.destination IS NOT DISTINCT FROM stream.destination
        AND late.slot::integer BETWEEN stream.slot_low AND stream.slot_high
        -- A late part that is being paged through has brought these already.
        AND NOT coalesce(
            late.id + 0 <= stream.catchup_position AND pg_visible_in_snapshot(late.xid, stream.catchup_snapshot),
            false)
) AS unhandled;

-- How far behind each stream is, counted up to 1,000,000 as the status does; 0 seconds where nothing waits. A function,
-- because only a function can say that nothing but indexes is read, whatever the statistics say; with its owner's
-- rights, because whoever may know how much waits need not be able to read it.
CREATE FUNCTION {{schema}}.stream_lag(
    OUT subscription text, OUT destination text, OUT slot_low smallint, OUT slot_high smallint, OUT messages bigint,
    OUT seconds double precision
) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $outbox$
    SELECT
        stream.subscription, stream.destination, stream.slot_low, stream.slot_high,
        least(fresh.messages + late.messages, 1000000),
        greatest(extract(epoch FROM now()
            - nullif(nullif(least(oldest.created_at, late.created_at), 'infinity'), '-infinity')), 0)::double precision
    FROM {{schema}}.stream
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages
        FROM (
            SELECT
            FROM {{schema}}.message
            WHERE message.destination = stream.destination AND message.id > stream.position
                AND message.slot BETWEEN stream.slot_low AND stream.slot_high
            LIMIT 1000000
        ) AS counted
    ) AS fresh
    LEFT JOIN LATERAL (
        SELECT message.created_at
        FROM {{schema}}.message
        WHERE message.destination = stream.destination AND message.id > stream.position
            AND message.slot BETWEEN stream.slot_low AND stream.slot_high
        ORDER BY message.id
        LIMIT 1
    ) AS oldest ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, min(counted.created_at) AS created_at
        FROM (
            SELECT part.created_at
            FROM (
                SELECT message.xid, message.id, message.slot, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                UNION ALL
                SELECT message.xid, message.id, message.slot, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
            ) AS part
            WHERE part.id + 0 <= stream.position AND part.destination IS NOT DISTINCT FROM stream.destination
                AND part.slot::integer BETWEEN stream.slot_low AND stream.slot_high
                AND NOT coalesce(
                    part.id + 0 <= stream.catchup_position
                        AND pg_visible_in_snapshot(part.xid, stream.catchup_snapshot),
                    false)
            LIMIT 1000000
        ) AS counted
    ) AS late
$outbox$;
REVOKE ALL ON FUNCTION {{schema}}.stream_lag() FROM PUBLIC;

CREATE VIEW {{schema}}.lag AS
SELECT subscription, destination, slot_low, slot_high, messages, seconds
FROM {{schema}}.stream_lag();

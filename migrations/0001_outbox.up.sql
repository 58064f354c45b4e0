-- 0001 outbox: the log, its streams, deferred messages and dead letters.
--
-- {{schema}} stands for the quoted name of the outbox's schema. Everything is
-- qualified with it, so nothing here depends on a search_path.

-- Asked first, because CREATE SCHEMA wants the privilege to create one even where there is nothing to create.
DO $outbox$
BEGIN
    IF to_regnamespace('{{schema_text}}') IS NULL THEN
        CREATE SCHEMA {{schema}};
    END IF;
END
$outbox$;

-- What has been applied to this schema, and the checksum of the file it came from.
CREATE TABLE {{schema}}.migration (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The number of the partition that new messages go to. A sequence, because its
-- value is read without a lock or a table access and changed outside of any
-- transaction.
CREATE SEQUENCE {{schema}}.segment_number AS smallint MINVALUE 0 MAXVALUE 3 START 0 CYCLE;
SELECT setval('{{schema_text}}.segment_number', 0);

-- The log. A row is inserted once and never updated or deleted; a whole
-- partition is truncated when every stream has passed it.
--
-- xid comes before id: defaults are evaluated in column order, so a transaction
-- has its number before it draws an id. With "id <= P" this bounds the numbers
-- that a late message can have (stream.horizon).
CREATE TABLE {{schema}}.message (
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    segment     smallint    NOT NULL DEFAULT pg_sequence_last_value('{{schema_text}}.segment_number'),
    slot        smallint    NOT NULL GENERATED ALWAYS AS (
                    ((CASE WHEN key IS NULL THEN id ELSE hashtext(key) END) & 1023)::smallint
                ) STORED,
    created_at  timestamptz NOT NULL DEFAULT now(),
    deliver_at  timestamptz,
    destination text        NOT NULL,
    route       text,
    key         text,
    headers     jsonb,
    options     jsonb,
    payload     bytea       NOT NULL,
    CONSTRAINT destination_length CHECK (octet_length(destination) BETWEEN 1 AND 255),
    CONSTRAINT route_length CHECK (octet_length(route) BETWEEN 1 AND 1024),
    CONSTRAINT key_length CHECK (octet_length(key) BETWEEN 1 AND 1024),
    CONSTRAINT headers_object_of_strings CHECK (
        jsonb_typeof(headers) = 'object'
        AND NOT jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")')
    ),
    CONSTRAINT options_object CHECK (jsonb_typeof(options) = 'object'),
    CONSTRAINT payload_length CHECK (octet_length(payload) <= 67108864)
) PARTITION BY LIST (segment);

CREATE TABLE {{schema}}.message_0 PARTITION OF {{schema}}.message FOR VALUES IN (0);
CREATE TABLE {{schema}}.message_1 PARTITION OF {{schema}}.message FOR VALUES IN (1);
CREATE TABLE {{schema}}.message_2 PARTITION OF {{schema}}.message FOR VALUES IN (2);
CREATE TABLE {{schema}}.message_3 PARTITION OF {{schema}}.message FOR VALUES IN (3);

-- Serves "fresh": a stream's next messages, the slot checked before the heap is read.
CREATE INDEX message_destination ON {{schema}}.message (destination, id, slot);
-- Serves "late": messages whose transaction ended after their id was passed. On xid alone: one entry serves all rows of
-- a transaction, and no statement that looks for ids can be tempted to use it.
CREATE INDEX message_xid ON {{schema}}.message (xid);

-- NOTIFY only when somebody sleeps. A producer takes the bell, (oid of message, 0),
-- shared until its transaction ends; a relay holds it exclusively while asleep. The
-- WHEN clause runs in C: a busy system never enters the function. A transaction that is to be prepared cannot NOTIFY;
-- SET LOCAL outbox.doorbell = 'off' keeps it from trying, and its messages are found by the next poll.
CREATE FUNCTION {{schema}}.ring() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('outbox_' || TG_RELID, '');
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell BEFORE INSERT ON {{schema}}.message FOR EACH STATEMENT
    WHEN (
        NOT pg_try_advisory_xact_lock_shared('{{schema_text}}.message'::regclass::oid::integer, 0)
        AND current_setting('outbox.doorbell', true) IS DISTINCT FROM 'off'
    )
    EXECUTE FUNCTION {{schema}}.ring();

-- One row per subscription, destination and range of slots. The cursor (snapshot,
-- position) says: every message of this stream with id <= position that is visible
-- in snapshot has been handled. horizon is a transaction number not below the next
-- one to be assigned when snapshot was taken.
CREATE TABLE {{schema}}.stream (
    id                integer     NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription      text        NOT NULL DEFAULT 'main',
    destination       text        NOT NULL,
    slot_low          smallint    NOT NULL DEFAULT 0,
    slot_high         smallint    NOT NULL DEFAULT 1023,
    snapshot          pg_snapshot NOT NULL,
    position          bigint      NOT NULL,
    horizon           xid8        NOT NULL,
    catchup_snapshot  pg_snapshot,
    catchup_position  bigint,
    starts            integer     NOT NULL DEFAULT 0,
    suspect           bigint,
    suspect_attempts  integer     NOT NULL DEFAULT 0,
    paused_at         timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    committed_at      timestamptz,
    CONSTRAINT slots CHECK (slot_low BETWEEN 0 AND slot_high AND slot_high <= 1023),
    CONSTRAINT catchup CHECK ((catchup_snapshot IS NULL) = (catchup_position IS NULL)),
    CONSTRAINT stream_slots UNIQUE (subscription, destination, slot_low)
) WITH (fillfactor = 10);    -- room for updates within the page, so that no index is touched

-- A message that waits for a later attempt. ordered: later messages of its key wait
-- for it; a scheduled message takes its place in the order when its time has come.
CREATE TABLE {{schema}}.deferred (
    subscription    text        NOT NULL DEFAULT 'main',
    id              bigint      NOT NULL,
    slot            smallint    NOT NULL,
    created_at      timestamptz NOT NULL,
    deliver_at      timestamptz,
    destination     text        NOT NULL,
    route           text,
    key             text,
    headers         jsonb,
    options         jsonb,
    payload         bytea       NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ordered         boolean     NOT NULL DEFAULT false,
    last_error      text,
    deferred_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subscription, id)
);
CREATE INDEX deferred_due ON {{schema}}.deferred (subscription, destination, next_attempt_at);
CREATE INDEX deferred_key ON {{schema}}.deferred (subscription, destination, key, id) WHERE ordered;

-- A relay knows what it has deferred itself; it is told of what others put here.
CREATE FUNCTION {{schema}}.ring_deferred() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('outbox_' || '{{schema_text}}.message'::pg_catalog.regclass::pg_catalog.oid, 'deferred');
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell AFTER INSERT OR UPDATE OR DELETE ON {{schema}}.deferred FOR EACH STATEMENT
    WHEN (current_setting('outbox.relay', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION {{schema}}.ring_deferred();

-- A message that will not be tried again unless somebody replays it.
CREATE TABLE {{schema}}.dead_letter (
    subscription text        NOT NULL DEFAULT 'main',
    id           bigint      NOT NULL,
    slot         smallint    NOT NULL,
    created_at   timestamptz NOT NULL,
    deliver_at   timestamptz,
    destination  text        NOT NULL,
    route        text,
    key          text,
    headers      jsonb,
    options      jsonb,
    payload      bytea       NOT NULL,
    attempts     integer     NOT NULL,
    reason       text        NOT NULL,
    last_error   text,
    died_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reason_known CHECK (reason IN ('exhausted', 'rejected', 'undecodable', 'crashed')),
    PRIMARY KEY (subscription, id)
);
CREATE INDEX dead_letter_destination ON {{schema}}.dead_letter (destination, died_at);

-- For alerts: one notification per destination, whose name is the payload.
CREATE FUNCTION {{schema}}.announce_dead_letter() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify(
        'outbox_dead_letter_' || '{{schema_text}}.message'::pg_catalog.regclass::pg_catalog.oid, destination)
    FROM (SELECT DISTINCT destination FROM inserted) AS destinations;
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER announce AFTER INSERT ON {{schema}}.dead_letter
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT
    EXECUTE FUNCTION {{schema}}.announce_dead_letter();

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

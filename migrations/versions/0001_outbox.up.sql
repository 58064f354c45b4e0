-- 0001 outbox: the whole schema. From top to bottom: what the rest is made of, tables, indexes, triggers, functions for
-- producers, for relays and for operators, views, and who may call what.
--
-- {{schema}} stands for the quoted name of the outbox's schema, {{schema_text}} for the same inside a literal.
--
-- Names without a schema mean the server's own. The session's search_path is set to that for this script, and put back at
-- its end: defaults, constraints, index expressions, trigger conditions, views and SQL functions are bound to what the names
-- mean now. A PL/pgSQL function looks its names up when it runs. So each has either a search_path of its own or, where a
-- producer's INSERT calls it and the 1.3 microseconds of that would be felt, every name in it is qualified, operators too.
--
-- In a transaction the setting is for the rest of it; outside of one, where that is forgotten at once, for the session.
SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

-- Asked first, because CREATE SCHEMA needs the privilege to create one even where there is nothing to create.
DO $outbox$
BEGIN
    IF to_regnamespace('{{schema_text}}') IS NULL THEN
        CREATE SCHEMA {{schema}};
    END IF;
END
$outbox$;

---------------------------------------------------------------------------------------------------------------------------
-- What the rest is made of
---------------------------------------------------------------------------------------------------------------------------

-- The number of the segment, a partition of the log, that new messages go to. A sequence, because its value is read without
-- a lock or a table access and changed outside of any transaction. Its value is data, which a dump of the structure alone
-- does not have; so wherever it is read, no value means 0.
CREATE SEQUENCE {{schema}}.segment_number AS smallint MINVALUE 0 MAXVALUE 3 START 0 CYCLE CACHE 1;
SELECT setval('{{schema_text}}.segment_number', 0) WHERE pg_sequence_last_value('{{schema_text}}.segment_number') IS NULL;

-- The slot of a message, 0 to 1023: messages with one key have one slot, and a stream covers a range of slots. It is stored
-- nowhere but in the index of the log; everything else calls this. In SQL and without a search_path of its own, so that
-- the planner puts the expression in the place of the call.
CREATE FUNCTION {{schema}}.slot(key text, id bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (coalesce(hashtext(key), id) & 1023)::smallint;

-- Whether a message is one that a relay can read and deliver; otherwise an error that names the field and says what is
-- allowed, without the value. The log has message_is_valid as its one CHECK: Postgres reads and prepares each constraint again
-- for each statement, and the body of a function once a session. So it has no more parameters than it needs, and one
-- expression, which is true for a message that is right and has no options. For all others it calls examine_message, which has
-- the same limits.
CREATE FUNCTION {{schema}}.examine_message(
    destination text, route text, key text, headers jsonb, options jsonb, payload bytea
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $outbox$
DECLARE
    field  text;
    reason text;
    number numeric;
BEGIN
    IF octet_length(destination) NOT BETWEEN 1 AND 255 THEN
        field := 'destination';
        reason := format('has %s bytes; 1 to 255 are allowed', octet_length(destination));
    ELSIF octet_length(route) NOT BETWEEN 1 AND 1024 THEN
        field := 'route';
        reason := format('has %s bytes; 1 to 1024 are allowed, or null', octet_length(route));
    ELSIF octet_length(key) NOT BETWEEN 1 AND 1024 THEN
        field := 'key';
        reason := format('has %s bytes; 1 to 1024 are allowed, or null', octet_length(key));
    ELSIF octet_length(payload) > 67108864 THEN
        field := 'payload';
        reason := format('has %s bytes; at most 67108864 are allowed', octet_length(payload));
    ELSIF jsonb_typeof(headers) <> 'object' OR jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")') THEN
        field := 'headers';
        reason := 'is not an object of strings';
    ELSIF octet_length(headers::text) > 65536 THEN
        field := 'headers';
        reason := format('has %s bytes as text; at most 65536 are allowed', octet_length(headers::text));
    ELSIF jsonb_typeof(options) <> 'object' OR options - 'max_attempts' - 'max_delay' <> '{}' THEN
        field := 'options';
        reason := 'is not an object that has no other names than max_attempts and max_delay';
    ELSIF octet_length(options::text) > 1024 THEN
        field := 'options';
        reason := 'has more than 1024 bytes as text';
    END IF;

    IF reason IS NULL AND getdatabaseencoding() <> 'UTF8' THEN
        BEGIN
            field := 'destination';
            PERFORM convert_to(destination, 'UTF8');
            field := 'route';
            PERFORM convert_to(route, 'UTF8');
            field := 'key';
            PERFORM convert_to(key, 'UTF8');
            field := 'headers';
            PERFORM convert_to(headers::text, 'UTF8');
        EXCEPTION
            WHEN character_not_in_repertoire OR untranslatable_character THEN
                reason := 'has a character that cannot be converted to UTF-8';
        END;
    END IF;

    IF reason IS NULL AND options ? 'max_attempts' THEN
        number := CASE jsonb_typeof(options -> 'max_attempts') WHEN 'number' THEN options ->> 'max_attempts' END;
        IF number IS NULL OR number NOT BETWEEN 1 AND 2147483647 OR number <> trunc(number) OR scale(number) > 100 THEN
            field := 'options';
            reason := 'has a max_attempts that is not a whole number from 1 to 2147483647';
        END IF;
    END IF;
    IF reason IS NULL AND options ? 'max_delay' THEN
        number := CASE jsonb_typeof(options -> 'max_delay') WHEN 'number' THEN options ->> 'max_delay' END;
        IF number IS NULL OR number NOT BETWEEN 0 AND 1000000000 OR scale(number) > 100 THEN
            field := 'options';
            reason := 'has a max_delay that is not a number of seconds from 0 to 1000000000';
        END IF;
    END IF;

    IF reason IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'invalid message: % %', field, reason USING
        ERRCODE = 'check_violation', SCHEMA = (parse_ident('{{schema_text}}'))[1], TABLE = 'message', COLUMN = field,
        CONSTRAINT = 'message_is_valid';
END
$outbox$;

CREATE FUNCTION {{schema}}.message_is_valid(
    destination text, route text, key text, headers jsonb, options jsonb, payload bytea
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $outbox$
BEGIN
    RETURN
        destination OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(destination) OPERATOR(pg_catalog.<=) 255
        AND (route IS NULL OR route OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(route) OPERATOR(pg_catalog.<=) 1024)
        AND (key IS NULL OR key OPERATOR(pg_catalog.<>) '' AND pg_catalog.octet_length(key) OPERATOR(pg_catalog.<=) 1024)
        AND pg_catalog.octet_length(payload) OPERATOR(pg_catalog.<=) 67108864
        AND (
            headers IS NULL
            OR pg_catalog.jsonb_typeof(headers) OPERATOR(pg_catalog.=) 'object'
            AND NOT pg_catalog.jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")')
            AND pg_catalog.octet_length(headers::pg_catalog.text) OPERATOR(pg_catalog.<=) 65536
        )
        AND options IS NULL
        OR {{schema}}.examine_message(destination, route, key, headers, options, payload);
END
$outbox$;

---------------------------------------------------------------------------------------------------------------------------
-- Tables
---------------------------------------------------------------------------------------------------------------------------

-- What has been applied to this schema, and the checksum of the file that it came from. readable_by is the oldest program
-- that works with the schema from this migration on, as the newest version that such a program knows: a program that knows
-- less is refused, one that knows no newer migration than readable_by goes on working. The table's comment says the same,
-- for a dump of the structure alone: rows are data, a comment is not.
CREATE TABLE {{schema}}.migration (
    version     integer     NOT NULL PRIMARY KEY,
    name        text        NOT NULL,
    checksum    text        NOT NULL,
    readable_by integer     NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);

-- The log. A row is inserted once and never updated or deleted; a whole partition is truncated when every stream has passed
-- it.
--
-- xid comes before id: defaults are evaluated in the order of the columns, so a transaction has its number before it draws
-- an id. With "id <= position" this bounds the numbers that a late message can have (stream.horizon). CACHE 1 is part of it:
-- a session that drew ids in advance would use them later. segment comes after all that is aligned to eight bytes, which makes a
-- row shorter by six.
CREATE TABLE {{schema}}.message (
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (START 1 INCREMENT 1 CACHE 1 NO CYCLE),
    created_at  timestamptz NOT NULL DEFAULT now(),
    deliver_at  timestamptz,
    -- From PostgreSQL 18 on the value is null to a role that may not read the sequence, too; that is no 0.
    segment     smallint    NOT NULL DEFAULT coalesce(
                    pg_sequence_last_value('{{schema_text}}.segment_number'),
                    CASE WHEN has_sequence_privilege('{{schema_text}}.segment_number'::regclass, 'SELECT, USAGE') THEN 0 END),
    destination text        NOT NULL COLLATE "C",
    route       text,
    key         text                 COLLATE "C",
    headers     jsonb,
    options     jsonb,
    payload     bytea       NOT NULL,
    CONSTRAINT message_is_valid CHECK (
        {{schema}}.message_is_valid(destination, route, key, headers, options, payload)
    )
) PARTITION BY LIST (segment);

-- A relay reads texts in UTF-8, and a database that is in another encoding takes some that cannot be converted. There every
-- message is examined.
DO $outbox$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        ALTER TABLE {{schema}}.message ADD CONSTRAINT message_is_convertible CHECK (
            {{schema}}.examine_message(destination, route, key, headers, options, payload));
    END IF;
END
$outbox$;

CREATE TABLE {{schema}}.message_0 PARTITION OF {{schema}}.message FOR VALUES IN (0);
CREATE TABLE {{schema}}.message_1 PARTITION OF {{schema}}.message FOR VALUES IN (1);
CREATE TABLE {{schema}}.message_2 PARTITION OF {{schema}}.message FOR VALUES IN (2);
CREATE TABLE {{schema}}.message_3 PARTITION OF {{schema}}.message FOR VALUES IN (3);

-- The partitions of the log. The sequence segment_number is the truth about which one is current; here is when that was last
-- seen to change, which a sequence does not know. A row that is missing is made again by the next relay or janitor.
CREATE TABLE {{schema}}.segment (
    number     smallint    NOT NULL PRIMARY KEY,
    is_current boolean     NOT NULL,
    since      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO {{schema}}.segment (number, is_current) SELECT number, number = 0 FROM generate_series(0, 3) AS number;

-- One row per subscription, destination and range of slots. The cursor (snapshot, position) says: every message of this
-- stream with id <= position that is visible in snapshot has been handled. horizon is a transaction number that is not below
-- the next one to be assigned when snapshot was taken. catchup_snapshot and catchup_position: how far a late part that is
-- longer than a page has been read. starts, suspect, suspect_attempts: what the processes before this one began and did not
-- finish. generation: how often the cursor was moved by something else than a relay; a relay that knows another number than
-- the row has does not move it, and reads from where it was put.
CREATE TABLE {{schema}}.stream (
    id               integer     NOT NULL GENERATED ALWAYS AS IDENTITY (START 1 INCREMENT 1 CACHE 1 NO CYCLE) PRIMARY KEY,
    subscription     text        NOT NULL COLLATE "C" DEFAULT 'main',
    destination      text        NOT NULL COLLATE "C",
    slot_low         smallint    NOT NULL DEFAULT 0,
    slot_high        smallint    NOT NULL DEFAULT 1023,
    snapshot         pg_snapshot NOT NULL,
    position         bigint      NOT NULL,
    horizon          xid8        NOT NULL,
    catchup_snapshot pg_snapshot,
    catchup_position bigint,
    generation       integer     NOT NULL DEFAULT 0,
    starts           integer     NOT NULL DEFAULT 0,
    suspect          bigint,
    suspect_attempts integer     NOT NULL DEFAULT 0,
    paused_at        timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    committed_at     timestamptz,
    CONSTRAINT slots CHECK (slot_low BETWEEN 0 AND slot_high AND slot_high <= 1023),
    CONSTRAINT catchup CHECK ((catchup_snapshot IS NULL) = (catchup_position IS NULL)),
    CONSTRAINT stream_slots UNIQUE (subscription, destination, slot_low)
) WITH (fillfactor = 10);    -- room for updates within the page, so that no index is touched

-- A message that waits for a later attempt. ordered: later messages of its key wait for it, with next_attempt_at 'infinity';
-- a scheduled message takes its place in the order when its time has come.
--
-- Each index begins with a column of its own, so that a statement that names one of them by its first column cannot be
-- planned with another: a plan made while the table was small must not read the whole of it later.
CREATE TABLE {{schema}}.deferred (
    subscription    text        NOT NULL COLLATE "C" DEFAULT 'main',
    id              bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    deliver_at      timestamptz,
    destination     text        NOT NULL COLLATE "C",
    route           text,
    key             text                 COLLATE "C",
    headers         jsonb,
    options         jsonb,
    payload         bytea       NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ordered         boolean     NOT NULL DEFAULT false,
    last_error      text,
    deferred_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, subscription)
);

-- A message that will not be tried again unless an operator replays it.
CREATE TABLE {{schema}}.dead_letter (
    subscription text        NOT NULL COLLATE "C" DEFAULT 'main',
    id           bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    deliver_at   timestamptz,
    destination  text        NOT NULL COLLATE "C",
    route        text,
    key          text                 COLLATE "C",
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

-- The keys with which messages were enqueued. A transaction that brings a key for the second time waits for the first one to
-- end, as the primary key makes it; it is told the first one's message, and inserts nothing. message_id is null only within
-- the call that enqueues. A row that has expired counts as gone, whether or not it has been removed.
CREATE TABLE {{schema}}.idempotency (
    destination text        NOT NULL COLLATE "C",
    key         text        NOT NULL COLLATE "C",
    message_id  bigint,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (destination, key),
    CONSTRAINT idempotency_key_length CHECK (octet_length(key) BETWEEN 1 AND 1024)
) WITH (fillfactor = 80);    -- room for message_id, so that no index is touched

---------------------------------------------------------------------------------------------------------------------------
-- Indexes
---------------------------------------------------------------------------------------------------------------------------

-- Serves "fresh": a stream's next messages, the slot checked before the heap is read.
CREATE INDEX message_destination ON {{schema}}.message (destination, id, {{schema}}.slot(key, id));
-- Serves "late": messages whose transaction ended after their id was passed. On xid alone: one entry serves all rows of a
-- transaction, and no statement that looks for ids can be tempted to use it.
CREATE INDEX message_xid ON {{schema}}.message (xid);
-- Serves what asks of a destination which streams it has.
CREATE INDEX stream_destination ON {{schema}}.stream (destination);
-- Serves what is due, and when the next one is.
CREATE INDEX deferred_due ON {{schema}}.deferred (destination, subscription, next_attempt_at);
-- Serves the queue of a key.
CREATE INDEX deferred_key ON {{schema}}.deferred (key, destination, subscription, id) WHERE ordered;
-- Serves lists and counts of a destination's dead letters.
CREATE INDEX dead_letter_destination ON {{schema}}.dead_letter (destination, died_at);
-- Serves the removal of what has expired.
CREATE INDEX idempotency_expires_at ON {{schema}}.idempotency (expires_at);

---------------------------------------------------------------------------------------------------------------------------
-- Triggers
---------------------------------------------------------------------------------------------------------------------------

-- ENABLE ALWAYS, all of them: in a session with session_replication_role = 'replica', as bulk loaders and some migration tools
-- set it, others do not fire, and a relay would not hear of what it wrote.

-- The doorbell: NOTIFY only while the relay sleeps. A producer takes the bell, the advisory lock (oid of message, 0), shared
-- until its transaction ends; a relay holds it exclusively while it sleeps. Postgres reads and prepares the WHEN clause for each
-- statement and runs it in C, so it is no longer than it has to be, and a busy system never enters the function.
--
-- A transaction that is to be prepared cannot NOTIFY; SET LOCAL outbox.doorbell = 'off' keeps it from trying, and its
-- messages are found by the relay's next poll.
CREATE FUNCTION {{schema}}.ring() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $outbox$
BEGIN
    IF current_setting('outbox.doorbell', true) IS DISTINCT FROM 'off' THEN
        PERFORM pg_notify('outbox_' || TG_RELID, '');
    END IF;
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell BEFORE INSERT ON {{schema}}.message FOR EACH STATEMENT
    WHEN (NOT pg_try_advisory_xact_lock_shared('{{schema_text}}.message'::regclass::integer, 0))
    EXECUTE FUNCTION {{schema}}.ring();
ALTER TABLE {{schema}}.message ENABLE ALWAYS TRIGGER doorbell;

-- A relay knows what it has deferred itself; it is told of what others put there.
CREATE FUNCTION {{schema}}.ring_deferred() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $outbox$
BEGIN
    PERFORM pg_notify('outbox_' || '{{schema_text}}.message'::regclass::oid, 'deferred');
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {{schema}}.deferred FOR EACH STATEMENT
    WHEN (current_setting('outbox.relay', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION {{schema}}.ring_deferred();
ALTER TABLE {{schema}}.deferred ENABLE ALWAYS TRIGGER doorbell;

-- A relay is told that a stream was paused, resumed or moved.
CREATE FUNCTION {{schema}}.ring_stream() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $outbox$
BEGIN
    PERFORM pg_notify('outbox_' || '{{schema_text}}.message'::regclass::oid, 'stream');
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER doorbell AFTER UPDATE ON {{schema}}.stream FOR EACH STATEMENT
    WHEN (current_setting('outbox.relay', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION {{schema}}.ring_stream();
ALTER TABLE {{schema}}.stream ENABLE ALWAYS TRIGGER doorbell;

CREATE FUNCTION {{schema}}.count_generation() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $outbox$
BEGIN
    NEW.generation := OLD.generation + 1;
    RETURN NEW;
END
$outbox$;

CREATE TRIGGER generation BEFORE UPDATE ON {{schema}}.stream FOR EACH ROW
    WHEN (
        current_setting('outbox.relay', true) IS DISTINCT FROM 'on'
        AND (OLD.snapshot::text, OLD.position, OLD.horizon, OLD.catchup_snapshot::text, OLD.catchup_position)
            IS DISTINCT FROM
            (NEW.snapshot::text, NEW.position, NEW.horizon, NEW.catchup_snapshot::text, NEW.catchup_position)
    )
    EXECUTE FUNCTION {{schema}}.count_generation();
ALTER TABLE {{schema}}.stream ENABLE ALWAYS TRIGGER generation;

-- For alerts: one notification per destination, whose name is the payload.
CREATE FUNCTION {{schema}}.announce_dead_letter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $outbox$
BEGIN
    PERFORM pg_notify('outbox_dead_letter_' || '{{schema_text}}.message'::regclass::oid, destination)
    FROM (SELECT DISTINCT destination FROM inserted) AS destinations;
    RETURN NULL;
END
$outbox$;

CREATE TRIGGER announce AFTER INSERT ON {{schema}}.dead_letter
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT
    EXECUTE FUNCTION {{schema}}.announce_dead_letter();
ALTER TABLE {{schema}}.dead_letter ENABLE ALWAYS TRIGGER announce;

---------------------------------------------------------------------------------------------------------------------------
-- Functions for producers
---------------------------------------------------------------------------------------------------------------------------

-- Enqueue in the caller's transaction; returns the message's id. What is not valid is refused with an error that names the
-- field. With an idempotency key that the destination has had within its window: returns the id of then, and inserts
-- nothing.
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
    new_id pg_catalog.int8;
    old_id pg_catalog.int8;
    field  pg_catalog.text;
    reason pg_catalog.text;
BEGIN
    -- Before anything is inserted: the server's own errors show the row.
    IF destination IS NULL OR payload IS NULL THEN
        RAISE EXCEPTION 'invalid message: % is null', CASE WHEN destination IS NULL THEN 'destination' ELSE 'payload' END
        USING
            ERRCODE = '23502', SCHEMA = (pg_catalog.parse_ident('{{schema_text}}'))[1], TABLE = 'message',
            COLUMN = CASE WHEN destination IS NULL THEN 'destination' ELSE 'payload' END;
    END IF;

    IF idempotency_key IS NOT NULL THEN
        IF pg_catalog.octet_length(idempotency_key) OPERATOR(pg_catalog.<) 1
            OR pg_catalog.octet_length(idempotency_key) OPERATOR(pg_catalog.>) 1024
        THEN
            field := 'idempotency_key';
            reason := pg_catalog.format(
                'has %s bytes; 1 to 1024 are allowed, or null', pg_catalog.octet_length(idempotency_key));
        ELSIF idempotency_window IS NULL THEN
            field := 'idempotency_window';
            reason := 'is null; an interval is needed with an idempotency key';
        END IF;
        IF field IS NOT NULL THEN
            RAISE EXCEPTION 'invalid message: % %', field, reason USING
                ERRCODE = '23514', SCHEMA = (pg_catalog.parse_ident('{{schema_text}}'))[1], TABLE = 'idempotency',
                COLUMN = field, CONSTRAINT = 'idempotency_key_length';
        END IF;
        -- The key would be noted for a message that is refused afterwards, and the error would come as one of that table.
        PERFORM {{schema}}.message_is_valid(destination, route, key, headers, options, payload);

        LOOP
            -- Most repetitions end here: nothing is written or locked for them.
            SELECT first.message_id INTO old_id
            FROM {{schema}}.idempotency AS first
            WHERE first.destination OPERATOR(pg_catalog.=) enqueue.destination
                AND first.key OPERATOR(pg_catalog.=) enqueue.idempotency_key
                AND first.expires_at OPERATOR(pg_catalog.>) pg_catalog.now();
            IF FOUND THEN
                IF old_id IS NULL THEN
                    RAISE EXCEPTION 'the idempotency key is taken, and no message was enqueued with it' USING
                        ERRCODE = '55000',
                        HINT = 'Its row in the table idempotency was not made by enqueue: remove it, or use another key.';
                END IF;
                RETURN old_id;
            END IF;
            -- Waits for a transaction that enqueues with this key or takes it over. Where one has, look again.
            INSERT INTO {{schema}}.idempotency AS first (destination, key, expires_at)
            VALUES (
                enqueue.destination, enqueue.idempotency_key,
                pg_catalog.now() OPERATOR(pg_catalog.+) enqueue.idempotency_window)
            ON CONFLICT ON CONSTRAINT idempotency_pkey DO UPDATE SET message_id = NULL, expires_at = excluded.expires_at
                WHERE first.expires_at OPERATOR(pg_catalog.<=) pg_catalog.now();
            EXIT WHEN FOUND;
        END LOOP;
    END IF;

    INSERT INTO {{schema}}.message (destination, payload, key, route, headers, deliver_at, options)
    VALUES (enqueue.destination, enqueue.payload, enqueue.key, enqueue.route, enqueue.headers, enqueue.deliver_at,
            enqueue.options)
    RETURNING id INTO new_id;

    IF idempotency_key IS NOT NULL THEN
        UPDATE {{schema}}.idempotency AS first SET message_id = new_id
        WHERE first.destination OPERATOR(pg_catalog.=) enqueue.destination
            AND first.key OPERATOR(pg_catalog.=) enqueue.idempotency_key;
    END IF;
    RETURN new_id;
END
$outbox$;

-- The same with a text as the payload, which is sent in UTF-8.
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
) RETURNS bigint LANGUAGE sql
RETURN {{schema}}.enqueue(
    destination, convert_to(payload, 'UTF8'), key, route, headers, deliver_at, options, idempotency_key,
    idempotency_window);

-- The same with a document, which is sent as Postgres writes it: with its members ordered, spaces between them.
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
) RETURNS bigint LANGUAGE sql
RETURN {{schema}}.enqueue(
    destination, convert_to(payload::text, 'UTF8'), key, route, headers, deliver_at, options, idempotency_key,
    idempotency_window);

-- The same with a document, which is sent as it is.
CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            json,
    key                text        DEFAULT NULL,
    route              text        DEFAULT NULL,
    headers            jsonb       DEFAULT NULL,
    deliver_at         timestamptz DEFAULT NULL,
    options            jsonb       DEFAULT NULL,
    idempotency_key    text        DEFAULT NULL,
    idempotency_window interval    DEFAULT '1 day'
) RETURNS bigint LANGUAGE sql
RETURN {{schema}}.enqueue(
    destination, convert_to(payload::text, 'UTF8'), key, route, headers, deliver_at, options, idempotency_key,
    idempotency_window);

-- Two that enqueue nothing: what is called with a payload or a key of another type comes here, and is told what to cast.
-- Without them the server says that there is no such function, and a program takes the schema for an old one.
CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            anyelement,
    key                anycompatible DEFAULT NULL::text,
    route              text          DEFAULT NULL,
    headers            jsonb         DEFAULT NULL,
    deliver_at         timestamptz   DEFAULT NULL,
    options            jsonb         DEFAULT NULL,
    idempotency_key    text          DEFAULT NULL,
    idempotency_window interval      DEFAULT '1 day'
) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $outbox$
DECLARE
    payload_fits boolean := pg_typeof(payload)::text IN ('text', 'character varying', 'bytea', 'json', 'jsonb');
    key_fits     boolean := pg_typeof(key)::text IN ('text', 'character varying');
BEGIN
    RAISE EXCEPTION 'enqueue takes no %',
        concat_ws(' and no ',
            CASE WHEN NOT payload_fits THEN 'payload of type ' || pg_typeof(payload)::text END,
            CASE WHEN NOT key_fits THEN 'key of type ' || pg_typeof(key)::text END)
    USING
        ERRCODE = 'datatype_mismatch',
        HINT = concat_ws(' ',
            CASE WHEN NOT payload_fits THEN
                'Cast the payload to bytea, text, json or jsonb: payload => (...)::text, or to_jsonb(...).' END,
            CASE WHEN NOT key_fits THEN 'Cast the key to text: key => (...)::text.' END);
END
$outbox$;

CREATE FUNCTION {{schema}}.enqueue(
    destination        text,
    payload            text,
    key                anyelement,
    route              text          DEFAULT NULL,
    headers            jsonb         DEFAULT NULL,
    deliver_at         timestamptz   DEFAULT NULL,
    options            jsonb         DEFAULT NULL,
    idempotency_key    text          DEFAULT NULL,
    idempotency_window interval      DEFAULT '1 day'
) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $outbox$
BEGIN
    RAISE EXCEPTION 'enqueue takes no key of type %', pg_typeof(key)::text USING
        ERRCODE = 'datatype_mismatch', HINT = 'Cast the key to text: key => (...)::text.';
END
$outbox$;

---------------------------------------------------------------------------------------------------------------------------
-- Functions for relays
---------------------------------------------------------------------------------------------------------------------------

-- Whether every stream has passed every message of a segment: none is left that a session which begins with the stored
-- cursors would read. Messages of a destination without a stream, or of slots that a subscription has none for, have not
-- been passed.
--
-- The conditions are those of read_fresh and read_late, with the same bounds and masks, so one index serves each, whatever
-- the statistics say: what is looked at of a segment is one message for each destination, and those of the transactions
-- that ended while a stream's cursor was last stored. Planned for each call, with the number as a constant, so that no other
-- partition is looked at or locked.
CREATE FUNCTION {{schema}}.segment_is_passed(number smallint) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = 'force_custom_plan'
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $outbox$
BEGIN
    RETURN NOT EXISTS (
        -- The index is not read through but jumped through: one step per destination.
        WITH RECURSIVE present (destination) AS (
            (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number
                ORDER BY message.destination LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT message.destination FROM {{schema}}.message
                WHERE message.segment = segment_is_passed.number AND message.destination > present.destination
                ORDER BY message.destination LIMIT 1
            )
            FROM present
            WHERE present.destination IS NOT NULL
        )
        SELECT FROM present
        WHERE present.destination IS NOT NULL AND (
            NOT EXISTS (SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination)
            OR EXISTS (
                SELECT FROM {{schema}}.stream WHERE stream.destination = present.destination
                GROUP BY stream.subscription
                HAVING NOT range_agg(int4range(stream.slot_low, stream.slot_high + 1)) @> int4range(0, 1024)
            )
            OR EXISTS (
                SELECT FROM {{schema}}.stream
                WHERE stream.destination = present.destination AND (
                    -- Fresh.
                    EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.destination = stream.destination AND message.id > stream.position
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                    )
                    -- Late, in two branches as in read_late; less what a late part that is being paged through has brought.
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    OR EXISTS (
                        SELECT FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number
                            AND message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
                            AND message.id + 0 <= stream.position
                            AND message.destination IS NOT DISTINCT FROM stream.destination
                            AND {{schema}}.slot(message.key, message.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                            AND NOT coalesce(
                                message.id + 0 <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                    )
                    -- The numbers of the log have begun again and no session has begun since (see restart): then not even
                    -- the first message was seen by the cursor. One with a number that this server has not reached came
                    -- with a dump, and was passed unless it is late.
                    OR NOT coalesce((
                        SELECT
                            pg_visible_in_snapshot(message.xid, stream.snapshot)
                            OR coalesce(
                                message.id <= stream.catchup_position
                                AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)
                            OR message.xid >= pg_snapshot_xmax(pg_current_snapshot())
                        FROM {{schema}}.message
                        WHERE message.segment = segment_is_passed.number AND message.destination = stream.destination
                            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
                        ORDER BY message.id
                        LIMIT 1
                    ), true)
                )
            )
        )
    );
END
$outbox$;

-- Empties a segment that every stream has passed. In the server, so that the lock which keeps all others out of the
-- partition is held for no round trip; with its owner's rights, so that a relay can remove what is passed and nothing else.
--
-- A transaction that has written to the partition holds a lock on it to its end, a prepared one too. So the lock is granted
-- when all of them have ended, and what is looked at after it, with a snapshot of its own, is all there will be. It is not
-- waited for: what reads the log meanwhile would wait behind it.
--
-- Returns truncated; current: it is where new messages go; unread: a stream has not passed it; busy: a transaction uses it,
-- or another call is at work.
CREATE FUNCTION {{schema}}.truncate_segment(number smallint) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms'
AS $outbox$
DECLARE
    partition text := '{{schema_text}}.message_' || number;
BEGIN
    IF number IS NULL OR number NOT BETWEEN 0 AND 3 THEN
        RAISE EXCEPTION 'a segment is a number from 0 to 3' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Otherwise the second look would see what the first has seen, or rows of this transaction's own.
    IF current_setting('transaction_isolation') <> 'read committed' OR pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'a segment is truncated in a READ COMMITTED transaction that has written nothing'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF number = coalesce(pg_sequence_last_value('{{schema_text}}.segment_number'), 0) THEN
        RETURN 'current';
    END IF;
    -- Two that have both looked would both keep the other from the lock.
    IF NOT pg_try_advisory_xact_lock('{{schema_text}}.message'::regclass::oid::integer, (-2147483648)::integer) THEN
        RETURN 'busy';
    END IF;
    IF NOT {{schema}}.segment_is_passed(number) THEN
        RETURN 'unread';
    END IF;
    EXECUTE 'LOCK TABLE ' || partition || ' IN ACCESS EXCLUSIVE MODE';
    IF number = coalesce(pg_sequence_last_value('{{schema_text}}.segment_number'), 0) THEN
        RETURN 'current';
    END IF;
    IF NOT {{schema}}.segment_is_passed(number) THEN
        RETURN 'unread';
    END IF;
    EXECUTE 'TRUNCATE ' || partition;
    RETURN 'truncated';
EXCEPTION
    -- Of the partition, or of a table that is looked into.
    WHEN lock_not_available THEN
        RETURN 'busy';
END
$outbox$;

---------------------------------------------------------------------------------------------------------------------------
-- Functions for operators
---------------------------------------------------------------------------------------------------------------------------

-- How far behind each stream is, counted up to 1,000,000 as the status does; 0 seconds where nothing waits. A function,
-- because only a function can say that nothing but indexes is read, whatever the statistics say; with its owner's rights,
-- because a role that may know how much waits need not be able to read it.
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
            -- One branch or the other. An index with an expression is read alone, without the table, only where the
            -- statement does not ask for the expression: so it is not asked for where a stream has all slots.
            SELECT
            FROM {{schema}}.message
            WHERE stream.slot_low = 0 AND stream.slot_high = 1023
                AND message.destination = stream.destination AND message.id > stream.position
            UNION ALL
            SELECT
            FROM {{schema}}.message
            WHERE (stream.slot_low > 0 OR stream.slot_high < 1023)
                AND message.destination = stream.destination AND message.id > stream.position
                AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
            LIMIT 1000000
        ) AS counted
    ) AS fresh
    LEFT JOIN LATERAL (
        SELECT message.created_at
        FROM {{schema}}.message
        WHERE message.destination = stream.destination AND message.id > stream.position
            AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
        ORDER BY message.id
        LIMIT 1
    ) AS oldest ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, min(counted.created_at) AS created_at
        FROM (
            SELECT part.created_at
            FROM (
                SELECT message.xid, message.id, message.key, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
                UNION ALL
                SELECT message.xid, message.id, message.key, message.destination, message.created_at
                FROM {{schema}}.message
                WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
            ) AS part
            WHERE part.id + 0 <= stream.position AND part.destination IS NOT DISTINCT FROM stream.destination
                AND {{schema}}.slot(part.key, part.id)::integer BETWEEN stream.slot_low AND stream.slot_high
                AND NOT coalesce(
                    part.id + 0 <= stream.catchup_position
                        AND pg_visible_in_snapshot(part.xid, stream.catchup_snapshot),
                    false)
            LIMIT 1000000
        ) AS counted
    ) AS late
$outbox$;

---------------------------------------------------------------------------------------------------------------------------
-- Views
---------------------------------------------------------------------------------------------------------------------------

-- What of the log each subscription has not handled, by what its cursors say; what waits for a later attempt is in
-- deferred. For people: WHERE and LIMIT reach the indexes. No payload and no headers: a role that may read message joins it
-- by (destination, id).
CREATE VIEW {{schema}}.pending AS
SELECT
    stream.subscription, stream.destination, unhandled.id, {{schema}}.slot(unhandled.key, unhandled.id) AS slot,
    unhandled.created_at, unhandled.deliver_at, unhandled.route, unhandled.key
FROM {{schema}}.stream
CROSS JOIN LATERAL (
    SELECT message.id, message.created_at, message.deliver_at, message.route, message.key
    FROM {{schema}}.message
    WHERE message.destination = stream.destination AND message.id > stream.position
        AND {{schema}}.slot(message.key, message.id) BETWEEN stream.slot_low AND stream.slot_high
    UNION ALL
    SELECT late.id, late.created_at, late.deliver_at, late.route, late.key
    FROM (
        -- Two branches, so that each is a condition on xid; no more of these columns is compared bare.
        SELECT
            message.xid, message.id, message.destination, message.created_at, message.deliver_at, message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid = ANY (ARRAY(SELECT pg_snapshot_xip(stream.snapshot)))
        UNION ALL
        SELECT
            message.xid, message.id, message.destination, message.created_at, message.deliver_at, message.route, message.key
        FROM {{schema}}.message
        WHERE message.xid >= pg_snapshot_xmax(stream.snapshot) AND message.xid < stream.horizon
    ) AS late
    WHERE late.id + 0 <= stream.position AND late.destination IS NOT DISTINCT FROM stream.destination
        AND {{schema}}.slot(late.key, late.id)::integer BETWEEN stream.slot_low AND stream.slot_high
        -- A late part that is being paged through has brought these already.
        AND NOT coalesce(
            late.id + 0 <= stream.catchup_position AND pg_visible_in_snapshot(late.xid, stream.catchup_snapshot),
            false)
) AS unhandled;

CREATE VIEW {{schema}}.lag AS
SELECT subscription, destination, slot_low, slot_high, messages, seconds
FROM {{schema}}.stream_lag();

---------------------------------------------------------------------------------------------------------------------------
-- Who may call what
---------------------------------------------------------------------------------------------------------------------------

-- What works with its owner's rights is for roles that were granted it.
REVOKE ALL ON FUNCTION {{schema}}.truncate_segment(smallint), {{schema}}.stream_lag() FROM PUBLIC;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

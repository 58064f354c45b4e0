-- This outbox's own log before its baseline was written again (commit 915a070): six CHECK constraints, a stored generated slot,
-- a doorbell that asks for a setting in its WHEN clause.
CREATE SEQUENCE {{schema}}.old_segment_number AS smallint MINVALUE 0 MAXVALUE 3 START 0 CYCLE;
SELECT setval('{{schema}}.old_segment_number', 0);
CREATE TABLE {{schema}}.old_message (
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    segment     smallint    NOT NULL DEFAULT pg_sequence_last_value('{{schema}}.old_segment_number'),
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
CREATE TABLE {{schema}}.old_message_0 PARTITION OF {{schema}}.old_message FOR VALUES IN (0);
CREATE TABLE {{schema}}.old_message_1 PARTITION OF {{schema}}.old_message FOR VALUES IN (1);
CREATE TABLE {{schema}}.old_message_2 PARTITION OF {{schema}}.old_message FOR VALUES IN (2);
CREATE TABLE {{schema}}.old_message_3 PARTITION OF {{schema}}.old_message FOR VALUES IN (3);
CREATE INDEX old_message_destination ON {{schema}}.old_message (destination, id, slot);
CREATE INDEX old_message_xid ON {{schema}}.old_message (xid);
CREATE FUNCTION {{schema}}.old_ring() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('outbox_' || TG_RELID, '');
    RETURN NULL;
END
$outbox$;
CREATE TRIGGER doorbell BEFORE INSERT ON {{schema}}.old_message FOR EACH STATEMENT
    WHEN (
        NOT pg_try_advisory_xact_lock_shared('{{schema}}.old_message'::regclass::oid::integer, 0)
        AND current_setting('outbox.doorbell', true) IS DISTINCT FROM 'off'
    )
    EXECUTE FUNCTION {{schema}}.old_ring();

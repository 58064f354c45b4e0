-- The plain table with the trigger that most add to it: it notifies for each row.
CREATE TABLE {{schema}}.notify_message (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    destination text        NOT NULL,
    key         text,
    payload     bytea       NOT NULL
);
CREATE FUNCTION {{schema}}.notify_message() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('notify_' || TG_RELID, '');
    RETURN NULL;
END
$outbox$;
CREATE TRIGGER notify AFTER INSERT ON {{schema}}.notify_message
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.notify_message();

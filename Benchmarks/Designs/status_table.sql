-- A status column: pending, then sent. The index holds what is pending, so that finding it does not get slower as the rest
-- grows. Whoever inserts notifies for each row.
CREATE TABLE {{schema}}.status_message (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    destination text        NOT NULL,
    key         text,
    payload     bytea       NOT NULL,
    status      text        NOT NULL DEFAULT 'pending',
    sent_at     timestamptz
);
CREATE INDEX status_message_pending ON {{schema}}.status_message (id) WHERE status = 'pending';

CREATE FUNCTION {{schema}}.notify_status() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('status_' || TG_RELID, '');
    RETURN NULL;
END
$outbox$;
CREATE TRIGGER notify AFTER INSERT ON {{schema}}.status_message
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.notify_status();

-- The outbox's table with the trigger that most use: it notifies for each row. NOTIFY takes a lock on the whole cluster that
-- is held until the transaction has committed.
DROP TRIGGER doorbell ON {{schema}}.message;
CREATE FUNCTION {{schema}}.notify_row() RETURNS trigger LANGUAGE plpgsql AS $outbox$
BEGIN
    PERFORM pg_catalog.pg_notify('outbox_' || '{{schema}}.message'::regclass::oid, '');
    RETURN NULL;
END
$outbox$;
CREATE TRIGGER notify AFTER INSERT ON {{schema}}.message FOR EACH ROW EXECUTE FUNCTION {{schema}}.notify_row();

-- Back to 0004: the view lag says nothing of deferred messages and outages, and a dead letter is announced whatever the queue of notifications
-- holds.
SELECT pg_catalog.set_config('outbox.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp';

-- A view loses a column only by being made again; who could read it can do so then.
DO $outbox$
DECLARE
    readers regrole[] := ARRAY(
        SELECT DISTINCT acl.grantee FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS acl
        WHERE pg_class.oid = '{{schema_text}}.lag'::regclass AND acl.privilege_type = 'SELECT' AND acl.grantee <> 0 AND acl.grantee <> relowner);
    reader  regrole;
BEGIN
    DROP VIEW {{schema}}.lag;
    CREATE VIEW {{schema}}.lag AS
    SELECT subscription, destination, slot_low, slot_high, messages, seconds
    FROM {{schema}}.stream_lag();
    FOREACH reader IN ARRAY readers LOOP
        EXECUTE format('GRANT SELECT ON %s.lag TO %s', '{{schema_text}}', reader);
    END LOOP;
END
$outbox$;
DROP FUNCTION {{schema}}.deferred_lag();

CREATE OR REPLACE FUNCTION {{schema}}.announce_dead_letter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $outbox$
BEGIN
    PERFORM pg_notify('outbox_dead_letter_' || '{{schema_text}}.message'::regclass::oid, destination)
    FROM (SELECT DISTINCT destination FROM inserted) AS destinations;
    RETURN NULL;
END
$outbox$;

ALTER TABLE {{schema}}.stream DROP COLUMN down_since, DROP COLUMN down_reason;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('outbox.search_path'), false)
WHERE pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) pg_catalog.current_setting('outbox.search_path');

-- Before a change of an outbox by another tool: time limits of the role and the database do not hold, as in configure_migration; one
-- migrator changes the outbox at a time; the outbox has to be of the version that the change begins with; and what roles may do is
-- noted for the end. Where the tool uses no transaction, settings and lock last for this statement only, and the rest holds.
DO $outbox$
DECLARE
    callers_path pg_catalog.text := pg_catalog.current_setting('search_path');
    setting      record;
    versions     pg_catalog.int4[];
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM set_config('outbox.settings', (
        SELECT jsonb_object_agg(name, current_setting(name))::text FROM pg_settings
        WHERE name IN ('row_security', 'standard_conforming_strings', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
    ), false);
    FOR setting IN {{configure}} LOOP
        NULL;
    END LOOP;
    FOR setting IN {{lock}} LOOP
        NULL;
    END LOOP;
    IF to_regclass('{{schema_text}}.migration') IS NULL THEN
        RAISE EXCEPTION 'there is no outbox in the schema %; this step begins with one of version {{from}}', '{{schema_text}}'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    versions := ARRAY(SELECT version FROM {{schema}}.migration ORDER BY version);
    IF versions <> ARRAY(SELECT generate_series(1, {{from}})) THEN
        RAISE EXCEPTION 'the outbox in the schema % is at version %; this step begins with version {{from}}',
            '{{schema_text}}', coalesce(array_to_string(versions[array_upper(versions, 1):], ''), '0')
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Applied: %s.', array_to_string(versions, ', '));
    END IF;
    PERFORM set_config('outbox.privileges', coalesce((
        SELECT jsonb_agg(to_jsonb(privileges))::text FROM ({{privileges}}) AS privileges
    ), '[]'), false);
    PERFORM set_config('search_path', callers_path, true);
END
$outbox$;

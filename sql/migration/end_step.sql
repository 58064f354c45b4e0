-- After it: roles get back what they had been granted on objects that were replaced, a replaced function that was closed to every role
-- is closed, and the transaction has the settings that it had. As PrivilegeSnapshot does.
DO $outbox$
DECLARE
    callers_path pg_catalog.text := pg_catalog.current_setting('search_path');
    statement    pg_catalog.text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR statement IN
        WITH earlier AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(current_setting('outbox.privileges')::jsonb) AS noted (
                identity text, kind text, name text, column_name text, role text, privilege text, is_grantable boolean, is_open boolean)
        ),
        later AS MATERIALIZED (
            {{privileges}}
        ),
        gone AS (
            SELECT * FROM earlier WHERE NOT EXISTS (SELECT FROM later WHERE later.kind = earlier.kind AND later.identity = earlier.identity)
        ),
        made AS (
            SELECT DISTINCT kind, identity, name, text, column_name, is_open FROM later
            WHERE NOT EXISTS (SELECT FROM earlier WHERE earlier.kind = later.kind AND earlier.identity = later.identity)
        )
        SELECT format(
            'GRANT %s%s ON %s %s TO %s%s', gone.privilege, ' (' || made.column_name || ')', made.kind, made.text, gone.role,
            CASE WHEN gone.is_grantable THEN ' WITH GRANT OPTION' END) COLLATE "C" AS change
        FROM made
        JOIN gone ON gone.kind = made.kind AND gone.name = made.name AND gone.column_name IS NOT DISTINCT FROM made.column_name
        WHERE gone.role IS NOT NULL AND NOT EXISTS (
            SELECT FROM later
            WHERE later.kind = made.kind AND later.identity = made.identity AND later.role = gone.role
                AND later.privilege = gone.privilege AND later.is_grantable = gone.is_grantable
        )
        UNION
        SELECT format('REVOKE ALL ON %s %s FROM PUBLIC', made.kind, made.text)
        FROM made
        JOIN gone ON gone.kind = made.kind AND gone.name = made.name AND gone.column_name IS NOT DISTINCT FROM made.column_name
        GROUP BY made.kind, made.text, made.is_open
        HAVING made.is_open AND NOT bool_or(gone.is_open)
        ORDER BY change
    LOOP
        EXECUTE statement;
    END LOOP;
    PERFORM set_config(key, value, true) FROM jsonb_each_text(current_setting('outbox.settings')::jsonb);
    PERFORM set_config('search_path', callers_path, true);
END
$outbox$;

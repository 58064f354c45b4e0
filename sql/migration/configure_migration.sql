-- A migration means the same whatever the session is set to: names without a schema are the server's own, backslashes in
-- literals are themselves, and a policy that would hide rows is an error.
SELECT
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('standard_conforming_strings', 'on', true),
    pg_catalog.set_config('row_security', 'off', true)

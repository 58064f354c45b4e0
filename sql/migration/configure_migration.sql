-- A migration means the same whatever the session is set to: names without a schema are the server's own, backslashes in
-- literals are themselves, and a policy that would hide rows is an error. How long it takes depends on what is stored, so the
-- limits that a role or a database has for statements and transactions do not hold. The one for locks does: others wait behind
-- what waits for a lock.
SELECT
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('standard_conforming_strings', 'on', true),
    pg_catalog.set_config('row_security', 'off', true),
    pg_catalog.set_config('statement_timeout', '0', true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true),
    (
        -- From PostgreSQL 17 on.
        SELECT pg_catalog.set_config(name, '0', true)
        FROM pg_catalog.pg_settings
        WHERE name OPERATOR(pg_catalog.=) 'transaction_timeout'
    )

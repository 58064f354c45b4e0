-- Names without a schema mean the server's own, whatever the role's search_path is: what another role has put in front of them
-- would run with the rights of the session's role. And a policy that would hide rows is an error instead: what looks empty is empty.
-- $1 whether to the end of the transaction only.
SELECT
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', $1),
    pg_catalog.set_config('row_security', 'off', $1)

-- A relay's session. The planner is left no choice: every runtime statement has one index that serves it, whatever the
-- statistics say. A lost commit of the cursor means redelivery, never loss, so it need not wait for the disk. And an
-- idle relay is no reason to end its session. Names without a schema mean the server's own: what another role has put in
-- front of them in the search_path would run with the relay's rights.
SELECT
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),
    pg_catalog.set_config('enable_seqscan', 'off', false),
    pg_catalog.set_config('enable_bitmapscan', 'off', false),
    pg_catalog.set_config('enable_hashjoin', 'off', false),
    pg_catalog.set_config('enable_mergejoin', 'off', false),
    pg_catalog.set_config('max_parallel_workers_per_gather', '0', false),
    pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false),
    pg_catalog.set_config('jit', 'off', false),
    pg_catalog.set_config('synchronous_commit', 'off', false),
    pg_catalog.set_config('statement_timeout', '0', false),
    pg_catalog.set_config('lock_timeout', '0', false),
    pg_catalog.set_config('idle_session_timeout', '0', false),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),
    (
        -- From PostgreSQL 17 on.
        SELECT pg_catalog.set_config(name, '0', false)
        FROM pg_catalog.pg_settings
        WHERE name OPERATOR(pg_catalog.=) 'transaction_timeout'
    ),
    -- A policy that would hide rows is an error instead.
    pg_catalog.set_config('row_security', 'off', false),
    pg_catalog.set_config('default_transaction_read_only', 'off', false),
    pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
    -- A relay's host that vanishes must not hold its locks for hours.
    pg_catalog.set_config('tcp_keepalives_idle', '30', false),
    pg_catalog.set_config('tcp_keepalives_interval', '10', false),
    pg_catalog.set_config('tcp_keepalives_count', '3', false),
    pg_catalog.set_config('tcp_user_timeout', '30000', false),
    pg_catalog.set_config('outbox.relay', 'on', false)

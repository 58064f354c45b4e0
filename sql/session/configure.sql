-- A relay's session. The planner is left no choice: every runtime statement has one index that serves it, whatever the
-- statistics say. A lost commit of the cursor means redelivery, never loss, so it need not wait for the disk. And an
-- idle relay is no reason to end its session.
SELECT
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('max_parallel_workers_per_gather', '0', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('jit', 'off', false),
    set_config('synchronous_commit', 'off', false),
    set_config('statement_timeout', '0', false),
    set_config('lock_timeout', '0', false),
    set_config('idle_session_timeout', '0', false),
    set_config('idle_in_transaction_session_timeout', '0', false),
    set_config('default_transaction_read_only', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false),
    -- A relay's host that vanishes must not hold its locks for hours.
    set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '30000', false),
    set_config('outbox.relay', 'on', false)

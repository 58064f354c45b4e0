-- Whether the role sees since when other roles' transactions are open; the server's version, whether it is a primary, and how full the queue of notifications is, from 0 to 1.
SELECT
    current_setting('server_version_num')::integer AS version, current_setting('server_version') AS version_text,
    pg_is_in_recovery() AS is_standby, pg_notification_queue_usage() AS queue_usage,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_times

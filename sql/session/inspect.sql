-- What a relay has to know of the database: whether the outbox is there, whether this is a primary, whether the constraint that makes
-- headers readable is in force, which tables have policies that hide rows from this role, and whether the log is written by a
-- subscription, with the numbers of another server.
SELECT
    to_regclass('{{schema_text}}.message')::oid::bigint AS message,
    to_regclass('{{schema_text}}.migration')::oid::bigint AS migration,
    pg_is_in_recovery() AS standby,
    EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = to_regclass('{{schema_text}}.message')
            AND conname = 'message_is_valid' AND convalidated
    ) AS headers_verified,
    (
        SELECT string_agg(relname, ', ' ORDER BY relname)
        FROM pg_class
        WHERE relnamespace = to_regnamespace('{{schema_text}}') AND relrowsecurity AND row_security_active(oid)
            AND relname IN ('message', 'stream', 'deferred', 'dead_letter', 'segment', 'migration', 'idempotency')
    ) AS hidden,
    EXISTS (
        SELECT FROM pg_subscription_rel
        WHERE srrelid = to_regclass('{{schema_text}}.message')
            OR srrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('{{schema_text}}.message'))
    ) AS replicated

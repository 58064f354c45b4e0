-- What is in the schema of what an outbox would bring: its relations by name, and whether the table of versions is one.
SELECT
    ARRAY(
        SELECT relname
        FROM pg_class
        WHERE relnamespace = to_regnamespace('{{schema_text}}')
            AND relname IN ('migration', 'message', 'stream', 'deferred', 'dead_letter', 'segment_number', 'segment',
                'idempotency', 'pending', 'lag')
        ORDER BY relname
    ) AS relations,
    (
        SELECT count(*) = 4
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = to_regnamespace('{{schema_text}}') AND relname = 'migration' AND NOT attisdropped
            AND (attname, atttypid) IN (
                ('version', 'integer'::regtype), ('name', 'text'::regtype), ('checksum', 'text'::regtype),
                ('applied_at', 'timestamptz'::regtype)
            )
    ) AS has_versions

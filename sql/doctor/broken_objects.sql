-- What the outbox does not work without, or not well, and what is not there as the migrations made it: what it is, whether
-- messages can be lost or stay behind for it, and what mends it: null where it is to be restored from the migration that made it.
SELECT
    'trigger ' || wanted.trigger_name || ' on ' || wanted.relation || CASE
        WHEN present.oid IS NULL THEN ' is missing'
        WHEN present.tgenabled = 'O' THEN ' does not fire where session_replication_role is replica'
        ELSE ' is disabled'
    END AS seen,
    CASE
        WHEN present.oid IS NOT NULL THEN format('ALTER TABLE %s.%I ENABLE ALWAYS TRIGGER %I', '{{schema_text}}', wanted.relation, wanted.trigger_name)
    END AS mend
FROM (VALUES
    ('message', 'doorbell'), ('deferred', 'doorbell'), ('dead_letter', 'announce'), ('stream', 'doorbell'),
    ('stream', 'generation')
) AS wanted (relation, trigger_name)
LEFT JOIN pg_trigger AS present
    ON present.tgrelid = to_regclass('{{schema_text}}.' || wanted.relation) AND present.tgname = wanted.trigger_name
WHERE present.oid IS NULL OR present.tgenabled <> 'A'
UNION ALL
-- Of a partitioned table, an index is valid if those of all partitions are there and valid.
SELECT 'index ' || wanted.index_name || CASE WHEN present.indexrelid IS NULL THEN ' is missing' ELSE ' is invalid' END,
    CASE
        WHEN present.indexrelid IS NOT NULL THEN format('REINDEX INDEX %s.%I', '{{schema_text}}', wanted.index_name)
    END
FROM (VALUES
    ('message_destination'), ('message_xid'), ('stream_pkey'), ('stream_slots'), ('stream_destination'),
    ('deferred_pkey'), ('deferred_due'),
    ('deferred_key'), ('dead_letter_pkey'), ('dead_letter_destination'), ('idempotency_pkey'), ('idempotency_expires_at')
) AS wanted (index_name)
LEFT JOIN pg_index AS present ON present.indexrelid = to_regclass('{{schema_text}}.' || wanted.index_name)
WHERE present.indexrelid IS NULL OR NOT present.indisvalid
UNION ALL
SELECT 'partition message_' || number || ' is missing, and nothing can be enqueued while it is current', NULL
FROM generate_series(0, 3) AS number
WHERE NOT EXISTS (
    SELECT FROM pg_inherits
    WHERE inhparent = to_regclass('{{schema_text}}.message')
        AND inhrelid = to_regclass('{{schema_text}}.message_' || number)
)
UNION ALL
SELECT
    'constraint ' || wanted.constraint_name || ' on message is missing or not validated, so messages that no relay can read are not refused',
    NULL
FROM (VALUES ('message_is_valid')) AS wanted (constraint_name)
WHERE NOT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = to_regclass('{{schema_text}}.message') AND conname = wanted.constraint_name AND convalidated
)
UNION ALL
-- A dump of a database in UTF-8 does not have it.
SELECT 'constraint message_is_convertible on message is missing, in a database that is not in UTF-8',
    format(
        'ALTER TABLE %1$s.message ADD CONSTRAINT message_is_convertible CHECK (%1$s.examine_message({{message.checked}}))',
        '{{schema_text}}')
WHERE getdatabaseencoding() <> 'UTF8'
    AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = to_regclass('{{schema_text}}.message') AND conname = 'message_is_convertible' AND convalidated
    )
UNION ALL
-- What works with its owner's rights.
SELECT 'function ' || pg_proc.oid::regprocedure || ' may be called by every role',
    CASE
        WHEN acl.grantor = proowner THEN format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', pg_proc.oid::regprocedure)
        ELSE format(
            'SET ROLE %I; REVOKE ALL ON FUNCTION %s FROM PUBLIC; RESET ROLE', pg_get_userbyid(acl.grantor),
            pg_proc.oid::regprocedure)
    END
FROM pg_proc
CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
WHERE pronamespace = to_regnamespace('{{schema_text}}') AND proname IN ('truncate_segment', 'stream_lag', 'deferred_lag', 'last_id', 'skip_ids_after_restart') AND prosecdef
    AND acl.grantee = 0 AND acl.privilege_type = 'EXECUTE'
UNION ALL
-- Compared by bytes. By a language's rules they would have another order after an update of the operating system than their
-- indexes.
SELECT format('column %s of %s has the collation %s', pg_attribute.attname, pg_class.relname, pg_collation.collname),
    format(
        'ALTER TABLE %s.%I ALTER COLUMN %I TYPE text COLLATE "C"', '{{schema_text}}', pg_class.relname,
        pg_attribute.attname)
FROM pg_class
JOIN pg_attribute ON pg_attribute.attrelid = pg_class.oid
JOIN pg_collation ON pg_collation.oid = pg_attribute.attcollation
WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND NOT pg_class.relispartition
    AND pg_class.relname IN ('message', 'stream', 'deferred', 'dead_letter', 'idempotency')
    AND pg_attribute.attname IN ('destination', 'key', 'subscription')
    AND NOT (pg_collation.collnamespace = 'pg_catalog'::regnamespace AND pg_collation.collname IN ('C', 'POSIX'))
UNION ALL
-- The owner of the function empties it.
SELECT format('partition %s has another owner than the function that empties it', pg_class.relname),
    format('ALTER TABLE %s.%I OWNER TO %I', '{{schema_text}}', pg_class.relname, pg_get_userbyid(pg_proc.proowner))
FROM pg_inherits
JOIN pg_class ON pg_class.oid = pg_inherits.inhrelid
JOIN pg_proc ON pg_proc.pronamespace = to_regnamespace('{{schema_text}}') AND pg_proc.proname = 'truncate_segment'
WHERE pg_inherits.inhparent = to_regclass('{{schema_text}}.message')
    AND NOT pg_has_role(pg_proc.proowner, pg_class.relowner, 'USAGE')
UNION ALL
-- The bodies of functions name the schema.
SELECT 'the functions are of an outbox in a schema of another name, so nothing can be enqueued',
    'The schema was renamed: rename it back, or make an outbox in a new schema.'
WHERE NOT EXISTS (
    SELECT FROM pg_proc
    WHERE pronamespace = to_regnamespace('{{schema_text}}') AND proname = 'message_is_valid'
        AND strpos(prosrc, '{{schema_text}}.examine_message') > 0
)
ORDER BY 1

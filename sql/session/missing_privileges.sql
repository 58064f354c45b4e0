-- What the role lacks of what a relay needs, and what it lacks for the janitor's work, without which it can deliver.
SELECT needed.privilege || ' ON ' || needed.relation AS privilege, false AS is_janitors
FROM (VALUES
    ('message', 'SELECT'),
    ('stream', 'SELECT'), ('stream', 'INSERT'), ('stream', 'UPDATE'),
    ('deferred', 'SELECT'), ('deferred', 'INSERT'), ('deferred', 'UPDATE'), ('deferred', 'DELETE'),
    ('dead_letter', 'SELECT'), ('dead_letter', 'INSERT')
) AS needed (relation, privilege)
WHERE NOT has_table_privilege('{{schema_text}}.' || needed.relation, needed.privilege)
UNION ALL
SELECT 'EXECUTE ON FUNCTION ' || needed.name, false
FROM (VALUES ('last_id'), ('skip_ids_after_restart')) AS needed (name)
WHERE NOT has_function_privilege('{{schema_text}}.' || needed.name || '()', 'EXECUTE')
UNION ALL
SELECT needed.privilege || ' ON segment', true
FROM (VALUES ('SELECT'), ('INSERT'), ('UPDATE')) AS needed (privilege)
WHERE NOT has_table_privilege('{{schema_text}}.segment', needed.privilege)
UNION ALL
SELECT needed.privilege || ' ON SEQUENCE segment_number', true
FROM (VALUES ('SELECT'), ('UPDATE')) AS needed (privilege)
WHERE NOT has_sequence_privilege('{{schema_text}}.segment_number', needed.privilege)
UNION ALL
SELECT 'EXECUTE ON FUNCTION truncate_segment', true
WHERE NOT has_function_privilege('{{schema_text}}.truncate_segment(smallint)', 'EXECUTE')
ORDER BY 1

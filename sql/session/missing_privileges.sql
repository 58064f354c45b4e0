-- What the role lacks of what a relay needs.
SELECT needed.privilege || ' ON ' || needed.relation
FROM (VALUES
    ('message', 'SELECT'),
    ('stream', 'SELECT'), ('stream', 'INSERT'), ('stream', 'UPDATE'),
    ('deferred', 'SELECT'), ('deferred', 'INSERT'), ('deferred', 'UPDATE'), ('deferred', 'DELETE'),
    ('dead_letter', 'SELECT'), ('dead_letter', 'INSERT')
) AS needed (relation, privilege)
WHERE NOT has_table_privilege('{{schema_text}}.' || needed.relation, needed.privilege)
ORDER BY 1

-- Where autovacuum does not clean up: on the whole server, and tables of the outbox for which it was switched off.
SELECT NULL AS relation, name || ' = off' AS setting
FROM pg_settings
WHERE name IN ('autovacuum', 'track_counts') AND setting = 'off'
UNION ALL
SELECT format('%s.%I', '{{schema_text}}', pg_class.relname), 'autovacuum_enabled = ' || options.option_value
FROM pg_class
CROSS JOIN LATERAL pg_options_to_table(pg_class.reloptions) AS options
WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind = 'r'
    AND options.option_name = 'autovacuum_enabled' AND options.option_value::boolean = false
ORDER BY 1 NULLS FIRST

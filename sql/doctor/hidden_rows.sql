-- Tables of the outbox whose policies are in force for a role, so that it sees fewer rows than there are. $1 the role.
SELECT pg_class.relname::text
FROM pg_class
CROSS JOIN pg_roles
WHERE pg_roles.rolname = $1 AND pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind IN ('r', 'p')
    AND pg_class.relrowsecurity AND NOT pg_roles.rolsuper AND NOT pg_roles.rolbypassrls
    AND NOT (pg_has_role($1, pg_class.relowner, 'USAGE') AND NOT pg_class.relforcerowsecurity)
    -- Policies of a partition are not asked where it is read through its parent, as it always is.
    AND NOT pg_class.relispartition
ORDER BY 1

-- The relations, columns and functions of the schema, each with what roles may do with it, or once with nulls where it is
-- nothing. What the owner may do, and what every role may, is not here: the one cannot be lost, the other is a migration's to say.
-- A function's name is without its parameters, its text is what GRANT wants.
SELECT
    object.oid::bigint AS oid, object.kind, object.name, object.text, object.column_name, quote_ident(pg_roles.rolname) AS role,
    acl.privilege_type AS privilege, acl.is_grantable
FROM (
    SELECT
        pg_class.oid, CASE pg_class.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, pg_class.relname::text AS name,
        format('%I.%I', pg_namespace.nspname, pg_class.relname) AS text, NULL AS column_name, pg_class.relowner AS owner,
        pg_class.relacl AS acl
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT
        pg_class.oid, 'TABLE', pg_class.relname::text, format('%I.%I', pg_namespace.nspname, pg_class.relname),
        quote_ident(pg_attribute.attname), pg_class.relowner, pg_attribute.attacl
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = pg_attribute.attrelid
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind IN ('r', 'p', 'v', 'm')
        AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped
    UNION ALL
    SELECT
        pg_proc.oid, 'FUNCTION', pg_proc.proname::text, pg_proc.oid::regprocedure::text, NULL, pg_proc.proowner, pg_proc.proacl
    FROM pg_proc
    WHERE pg_proc.pronamespace = to_regnamespace('{{schema_text}}')
) AS object
LEFT JOIN LATERAL aclexplode(object.acl) AS acl ON acl.grantee NOT IN (0, object.owner)
LEFT JOIN pg_roles ON pg_roles.oid = acl.grantee

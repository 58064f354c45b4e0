-- The relations, columns and functions of the schema, each with what roles may do with it, or once with nulls where it is
-- nothing. What the owner may do is not here: it cannot be lost. Of functions, whether every role may call them. identity: what
-- another object of the same name does not have. A function's name is without its parameters, its text is what GRANT wants.
SELECT
    object.identity, object.kind, object.name, object.text, object.column_name, quote_ident(pg_roles.rolname) AS role,
    acl.privilege_type AS privilege, acl.is_grantable, object.is_open
FROM (
    SELECT
        pg_class.oid::text AS identity, CASE pg_class.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
        pg_class.relname::text AS name, format('%I.%I', pg_namespace.nspname, pg_class.relname) AS text,
        NULL AS column_name, pg_class.relowner AS owner, pg_class.relacl AS acl, false AS is_open
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT
        format('%s.%s', pg_class.oid, pg_attribute.attnum), 'TABLE', pg_class.relname::text,
        format('%I.%I', pg_namespace.nspname, pg_class.relname), quote_ident(pg_attribute.attname), pg_class.relowner,
        pg_attribute.attacl, false
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = pg_attribute.attrelid
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_class.relnamespace = to_regnamespace('{{schema_text}}') AND pg_class.relkind IN ('r', 'p', 'v', 'm')
        AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped
    UNION ALL
    SELECT
        pg_proc.oid::text, 'FUNCTION', pg_proc.proname::text, pg_proc.oid::regprocedure::text, NULL, pg_proc.proowner,
        pg_proc.proacl,
        EXISTS (
            SELECT FROM aclexplode(coalesce(pg_proc.proacl, acldefault('f', pg_proc.proowner))) AS acl WHERE acl.grantee = 0
        )
    FROM pg_proc
    WHERE pg_proc.pronamespace = to_regnamespace('{{schema_text}}')
) AS object
LEFT JOIN LATERAL aclexplode(object.acl) AS acl ON acl.grantee NOT IN (0, object.owner)
LEFT JOIN pg_roles ON pg_roles.oid = acl.grantee

-- Functions of the outbox that work with their owner's rights and that every role may call, as after a restore without
-- privileges: their names, and what closes them. Those of which this role is the owner, and that it has opened: what another role
-- has granted only that role can revoke, and the doctor says which.
SELECT
    pg_proc.oid::regprocedure::text AS name, format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', pg_proc.oid::regprocedure) AS close
FROM pg_proc
WHERE pronamespace = to_regnamespace('{{schema_text}}') AND proname IN ('truncate_segment', 'stream_lag', 'deferred_lag', 'last_id', 'skip_ids_after_restart') AND prosecdef
    AND pg_has_role(proowner, 'USAGE')
    AND EXISTS (
        SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
        WHERE acl.grantee = 0 AND acl.privilege_type = 'EXECUTE' AND acl.grantor = proowner
    )
ORDER BY 1

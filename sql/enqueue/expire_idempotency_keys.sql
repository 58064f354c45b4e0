-- Removes idempotency keys whose window is over, those first that have been so the longest; at most $1. One that a
-- transaction is taking over just now is left to it. By place: no plan for it reads the whole table.
DELETE FROM {{schema}}.idempotency
WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
    SELECT ctid
    FROM {{schema}}.idempotency
    WHERE expires_at OPERATOR(pg_catalog.<=) pg_catalog.now()
    ORDER BY expires_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))

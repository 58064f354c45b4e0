-- Awake: producers need not NOTIFY any more.
SELECT pg_advisory_unlock($1, 0)

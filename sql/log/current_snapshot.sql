-- The snapshot that the poll reads with: the next cursor's.
SELECT pg_current_snapshot()

-- Be the one relay of this outbox. The lock lives in the session that commits the cursor, so a relay that has lost its
-- session can commit nothing: fencing without clocks.
SELECT pg_try_advisory_lock($1, -1)

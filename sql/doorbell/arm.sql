-- Refused while a producer that decided not to NOTIFY is still in its transaction. Once granted, every producer is
-- refused the shared lock and NOTIFYs.
SELECT pg_try_advisory_lock($1, 0)

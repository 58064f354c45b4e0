-- Rings, so that all listeners hear it and a relay does nothing. $1 channel, $2 payload.
SELECT pg_notify($1, $2)

-- Gives up everything, and tells other relays, who look then. $1 the log's channel, $2 the payload.
SELECT pg_advisory_unlock_all(), pg_notify($1, $2)

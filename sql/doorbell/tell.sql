-- Tells all relays. $1 the log's channel, $2 what.
SELECT pg_notify($1, $2)

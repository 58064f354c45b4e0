-- Ends the session of a relay that is silent, so that what it has is free; where this session's role may. $1 the server process.
SELECT pg_terminate_backend($1)

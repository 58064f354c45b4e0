-- Tries to be the keeper of the bell, and says in the same statement that it is awake: between the two a process could be stopped, while others sleep
-- because of what the keeper before said. $1 the log's oid, $2 the log's channel, $3 the word.
SELECT CASE WHEN pg_try_advisory_lock($1, -1) THEN pg_notify($2, $3)::text = '' ELSE false END AS is_granted

-- {{filter}} of the statements beside this file, so that a dry run counts what is changed: $1 subscription, $2 ids, $3 destination,
-- $4 deferred for longer and $5 for less than microseconds, $6 text in the error; null: any. $7 whether only what can be tried at once: not
-- what waits behind another one of its key, and what waits for its time only where its id is given.
($1::text IS NULL OR subscription = $1)
    AND ($2::bigint[] IS NULL OR id = ANY ($2))
    AND ($3::text IS NULL OR destination = $3)
    AND ($4::bigint IS NULL OR deferred_at < now() - $4 * interval '1 microsecond')
    AND ($5::bigint IS NULL OR deferred_at > now() - $5 * interval '1 microsecond')
    AND ($6::text IS NULL OR strpos(last_error, $6) > 0)
    AND (NOT $7::boolean OR next_attempt_at < 'infinity' AND (attempts > 0 OR last_error IS NOT NULL OR $2 IS NOT NULL))

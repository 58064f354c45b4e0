-- {{filter}} of the statements beside this file, so that a dry run counts what a replay moves: $1 subscription, $2 ids,
-- $3 destination, $4 older than and $5 newer than microseconds, $6 text in the error, $7 reason; null: any.
($1::text IS NULL OR subscription = $1)
    AND ($2::bigint[] IS NULL OR id = ANY ($2))
    AND ($3::text IS NULL OR destination = $3)
    AND ($4::bigint IS NULL OR died_at < now() - $4 * interval '1 microsecond')
    AND ($5::bigint IS NULL OR died_at > now() - $5 * interval '1 microsecond')
    AND ($6::text IS NULL OR strpos(last_error, $6) > 0)
    AND ($7::text IS NULL OR reason = $7)

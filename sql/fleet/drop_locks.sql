-- Gives up streams, or being the keeper. $1 the log's oid, $2 numbers.
SELECT count(*) FILTER (WHERE pg_advisory_unlock($1, number)) AS dropped FROM unnest($2::integer[]) AS number

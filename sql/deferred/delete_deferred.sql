-- Deferred messages that were delivered. $1 subscription, $2 ids.
DELETE FROM {{schema}}.deferred
WHERE subscription = $1 AND id = ANY ($2::bigint[])

-- $1 subscription, $2 destination.
SELECT EXISTS (SELECT FROM {{schema}}.stream WHERE subscription = $1 AND destination = $2)

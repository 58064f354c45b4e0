-- Whether a stream of a destination, made now, would be one that no relay reads: others have streams of it, or the subscription has none of any destination though
-- there are some. It would keep the log from being emptied. $1 subscription, $2 destination.
SELECT
    EXISTS (SELECT FROM {{schema}}.stream WHERE destination = $2)
    OR EXISTS (SELECT FROM {{schema}}.stream) AND NOT EXISTS (SELECT FROM {{schema}}.stream WHERE subscription = $1)

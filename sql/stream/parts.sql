-- The streams of a destination, kept from being changed by others to the end of the transaction. $1 subscription, $2 destination.
SELECT id, slot_low, slot_high, destination
FROM {{schema}}.stream
WHERE subscription = $1 AND destination = $2
ORDER BY id
FOR UPDATE

-- The streams of a subscription, kept from being changed by others to the end of the transaction. $1 subscription.
SELECT id, slot_low, slot_high, destination
FROM {{schema}}.stream
WHERE subscription = $1
ORDER BY id
FOR UPDATE

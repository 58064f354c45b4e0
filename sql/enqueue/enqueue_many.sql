-- Several messages, the parameters as in enqueue_one, arrays of one length each. Sorted below the INSERT, whose defaults
-- are evaluated above: the ids are drawn in the order of the messages.
INSERT INTO {{schema}}.message ({{message.sent}})
SELECT {{message.sent}}
FROM ROWS FROM ({{message.sent.arrays}}) WITH ORDINALITY AS row ({{message.sent}}, position)
ORDER BY position
RETURNING id

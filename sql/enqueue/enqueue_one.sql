-- One message; its columns as parameters.
INSERT INTO {{schema}}.message ({{message.sent}})
VALUES ({{message.sent.parameters}})
RETURNING id

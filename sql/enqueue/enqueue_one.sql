-- One message. $1 destination, $2 route, $3 key, $4 headers, $5 deliver_at, $6 options, $7 payload.
INSERT INTO {{schema}}.message (destination, route, key, headers, deliver_at, options, payload)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id

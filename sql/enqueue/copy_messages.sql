-- segment is given although it has a default: the default is volatile, and with a volatile one COPY inserts row by row.
COPY {{schema}}.message (segment, {{message.sent}})
FROM STDIN WITH (FORMAT binary)

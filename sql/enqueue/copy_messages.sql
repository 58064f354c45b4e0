-- segment is given although it has a default: the default is volatile, and with a volatile one COPY inserts row by row.
COPY {{schema}}.message (segment, destination, route, key, headers, deliver_at, options, payload)
FROM STDIN WITH (FORMAT binary)

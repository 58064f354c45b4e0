-- What time it is, by the server's clock.
SELECT clock_timestamp()

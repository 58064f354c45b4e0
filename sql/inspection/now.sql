-- When the transaction began, by the server's clock.
SELECT now()

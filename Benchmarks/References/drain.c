#include "support.h"

#include <stdio.h>
#include <string.h>

static const char *settings =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
    "SET plan_cache_mode = force_generic_plan; SET synchronous_commit = off";

static int prepare(PGconn *connection, const char *log, int page, reference_result *result) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "SELECT id, created_at, route, key, headers, options, payload FROM %s"
        " WHERE destination = $2 AND id > $1 ORDER BY id LIMIT %d",
        log, page);
    return reference_execute(result, connection, settings) &&
           reference_prepare(result, connection, "page", text, 2, (const Oid[]){INT8, TEXT});
}

static void read_all(PGconn *connection, const char *destination, reference_result *result) {
    int64_t position = 0;
    for (;;) {
        char big_endian[8];
        reference_put64(big_endian, position);
        const char *values[] = {big_endian, destination};
        int lengths[] = {8, (int)strlen(destination)};
        int formats[] = {1, 1};
        PGresult *rows = PQexecPrepared(connection, "page", 2, values, lengths, formats, 1);
        if (!reference_check(result, connection, rows, PGRES_TUPLES_OK)) {
            PQclear(rows);
            return;
        }
        int count = PQntuples(rows);
        for (int row = 0; row < count; row++) result->bytes += PQgetlength(rows, row, 6);
        result->messages += count;
        if (count > 0) position = reference_get64(PQgetvalue(rows, count - 1, 0));
        PQclear(rows);
        if (count == 0) return;
    }
}

reference_result reference_drain(const char *conninfo, const char *log, const char *destination, int page) {
    reference_result result = {0};
    PGconn *connection = reference_connect(conninfo, &result);
    if (!connection) return result;
    if (prepare(connection, log, page, &result)) {
        double began = reference_now();
        read_all(connection, destination, &result);
        result.seconds = reference_now() - began;
    }
    PQfinish(connection);
    return result;
}

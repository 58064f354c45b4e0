#include "references.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(reference_result *result, PGconn *connection) {
    snprintf(result->error, sizeof result->error, "%s", PQerrorMessage(connection));
}

static const char *settings =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;"
    "SET plan_cache_mode = force_generic_plan; SET synchronous_commit = off";

static int prepare(PGconn *connection, const char *log, int page) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "SELECT id, slot, created_at, route, key, headers, options, payload FROM %s"
        " WHERE destination = $2 AND id > $1 ORDER BY id LIMIT %d",
        log, page);
    PGresult *set = PQexec(connection, settings);
    PGresult *prepared = PQprepare(connection, "page", text, 2, (const Oid[]){20, 25});
    int is_good = PQresultStatus(set) == PGRES_COMMAND_OK && PQresultStatus(prepared) == PGRES_COMMAND_OK;
    PQclear(set);
    PQclear(prepared);
    return is_good;
}

static void read_all(PGconn *connection, const char *destination, reference_result *result) {
    int64_t position = 0;
    for (;;) {
        int64_t big_endian = (int64_t)htobe64((uint64_t)position);
        const char *values[] = {(const char *)&big_endian, destination};
        int lengths[] = {8, (int)strlen(destination)};
        int formats[] = {1, 1};
        PGresult *rows = PQexecPrepared(connection, "page", 2, values, lengths, formats, 1);
        if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
            fail(result, connection);
            PQclear(rows);
            return;
        }
        int count = PQntuples(rows);
        for (int row = 0; row < count; row++) result->bytes += PQgetlength(rows, row, 7);
        result->messages += count;
        if (count > 0) {
            uint64_t last;
            memcpy(&last, PQgetvalue(rows, count - 1, 0), sizeof last);
            position = (int64_t)be64toh(last);
        }
        PQclear(rows);
        if (count == 0) return;
    }
}

reference_result reference_drain(const char *conninfo, const char *log, const char *destination, int page) {
    reference_result result = {0};
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK || !prepare(connection, log, page)) {
        fail(&result, connection);
    } else {
        double began = now();
        read_all(connection, destination, &result);
        result.seconds = now() - began;
    }
    PQfinish(connection);
    return result;
}

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void sleep_for(double seconds) {
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static int commit(PGconn *connection, int number, double *committed, reference_result *result) {
    char payload[4];
    reference_put32(payload, number);
    const char *values[] = {payload};
    int lengths[] = {4};
    int formats[] = {1};
    if (!reference_execute(result, connection, "BEGIN")) return 0;
    PGresult *answer = PQexecPrepared(connection, "insert", 1, values, lengths, formats, 1);
    int is_good = reference_check(result, connection, answer, PGRES_COMMAND_OK);
    PQclear(answer);
    *committed = reference_now();
    return is_good && reference_execute(result, connection, "COMMIT");
}

reference_result reference_quiet_commits(
    const char *conninfo, const char *log, const char *destination, int messages, double pause, double *committed) {
    reference_result result = {0};
    PGconn *connection = reference_connect(conninfo, &result);
    if (!connection) return result;
    char *name = PQescapeLiteral(connection, destination, strlen(destination));
    char text[1024];
    snprintf(text, sizeof text, "INSERT INTO %s (destination, payload) VALUES (%s, $1)", log, name);
    PQfreemem(name);
    if (reference_prepare(&result, connection, "insert", text, 1, (const Oid[]){17 /* bytea */})) {
        double began = reference_now();
        for (int number = 0; number < messages; number++) {
            sleep_for(pause);
            if (!commit(connection, number, &committed[number], &result)) break;
            result.messages++;
        }
        result.seconds = reference_now() - began;
    }
    PQfinish(connection);
    return result;
}

struct reference_listener {
    PGconn *connection;
    char destination[256];
    int64_t position;
    reference_result result;
};

reference_listener *reference_listen(
    const char *conninfo, const char *log, const char *destination, const char *channel) {
    reference_listener *listener = calloc(1, sizeof *listener);
    snprintf(listener->destination, sizeof listener->destination, "%s", destination);
    listener->connection = reference_connect(conninfo, &listener->result);
    if (!listener->connection) return listener;
    char text[1024];
    snprintf(text, sizeof text, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; LISTEN %s", channel);
    if (!reference_execute(&listener->result, listener->connection, text)) return listener;
    /* What is there before is not for it. */
    snprintf(text, sizeof text, "SELECT coalesce(max(id), 0)::text FROM %s", log);
    PGresult *answer = PQexec(listener->connection, text);
    if (reference_check(&listener->result, listener->connection, answer, PGRES_TUPLES_OK)) {
        listener->position = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
    }
    PQclear(answer);
    snprintf(text, sizeof text, "SELECT id, payload FROM %s WHERE destination = $2 AND id > $1 ORDER BY id", log);
    reference_prepare(&listener->result, listener->connection, "read", text, 2, (const Oid[]){INT8, TEXT});
    return listener;
}

static void read_new(reference_listener *listener, int messages, double *arrived) {
    char position[8];
    reference_put64(position, listener->position);
    const char *values[] = {position, listener->destination};
    int lengths[] = {8, (int)strlen(listener->destination)};
    int formats[] = {1, 1};
    PGresult *rows = PQexecPrepared(listener->connection, "read", 2, values, lengths, formats, 1);
    double now = reference_now();
    if (reference_check(&listener->result, listener->connection, rows, PGRES_TUPLES_OK)) {
        for (int row = 0; row < PQntuples(rows); row++) {
            listener->position = reference_get64(PQgetvalue(rows, row, 0));
            int number = PQgetlength(rows, row, 1) == 4 ? reference_get32(PQgetvalue(rows, row, 1)) : -1;
            if (number < 0 || number >= messages) continue;
            arrived[number] = now;
            listener->result.messages++;
        }
    }
    PQclear(rows);
}

reference_result reference_listener_run(reference_listener *listener, int messages, double *arrived) {
    PGconn *connection = listener->connection;
    reference_result *result = &listener->result;
    double began = reference_now();
    while (!result->error[0] && result->messages < messages) {
        if (!reference_wait(connection, 60000)) {
            snprintf(result->error, sizeof result->error, "nothing has come for a minute");
            break;
        }
        if (!PQconsumeInput(connection)) reference_fail(result, connection);
        int is_notified = 0;
        for (PGnotify *notice; (notice = PQnotifies(connection)); PQfreemem(notice)) is_notified = 1;
        /* A notification that came with the answer of a SELECT is one that its commit was visible to or not. */
        while (is_notified && !result->error[0]) {
            is_notified = 0;
            read_new(listener, messages, arrived);
            for (PGnotify *notice; (notice = PQnotifies(connection)); PQfreemem(notice)) is_notified = 1;
        }
    }
    result->seconds = reference_now() - began;
    if (connection) PQfinish(connection);
    reference_result copy = *result;
    free(listener);
    return copy;
}

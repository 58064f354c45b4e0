#include "support.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

static double seconds_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double reference_now(void) { return seconds_of(CLOCK_MONOTONIC); }

double reference_processor_now(void) { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

void reference_fail(reference_result *result, PGconn *connection) {
    if (!result->error[0]) snprintf(result->error, sizeof result->error, "%s", PQerrorMessage(connection));
    if (!result->error[0]) snprintf(result->error, sizeof result->error, "an answer that was not expected");
}

PGconn *reference_connect(const char *conninfo, reference_result *result) {
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) == CONNECTION_OK) return connection;
    reference_fail(result, connection);
    PQfinish(connection);
    return NULL;
}

int reference_check(reference_result *result, PGconn *connection, PGresult *answer, ExecStatusType expected) {
    int is_good = PQresultStatus(answer) == expected;
    if (!is_good) reference_fail(result, connection);
    return is_good;
}

int reference_execute(reference_result *result, PGconn *connection, const char *sql) {
    PGresult *answer = PQexec(connection, sql);
    int is_good = reference_check(result, connection, answer, PGRES_COMMAND_OK);
    PQclear(answer);
    return is_good;
}

int reference_prepare(
    reference_result *result, PGconn *connection, const char *name, const char *sql, int count, const Oid *types) {
    PGresult *answer = PQprepare(connection, name, sql, count, types);
    int is_good = reference_check(result, connection, answer, PGRES_COMMAND_OK);
    PQclear(answer);
    return is_good;
}

int reference_wait(PGconn *connection, int milliseconds) {
    struct pollfd socket = {.fd = PQsocket(connection), .events = POLLIN};
    return poll(&socket, 1, milliseconds) > 0;
}

static void put(char *bytes, uint64_t value, int count) {
    for (int index = count - 1; index >= 0; index--, value >>= 8) bytes[index] = (char)(value & 0xFF);
}

static uint64_t get(const char *bytes, int count) {
    uint64_t value = 0;
    for (int index = 0; index < count; index++) value = value << 8 | (unsigned char)bytes[index];
    return value;
}

void reference_put64(char *bytes, int64_t value) { put(bytes, (uint64_t)value, 8); }
void reference_put32(char *bytes, int32_t value) { put(bytes, (uint32_t)value, 4); }
void reference_put16(char *bytes, int16_t value) { put(bytes, (uint16_t)value, 2); }
int64_t reference_get64(const char *bytes) { return (int64_t)get(bytes, 8); }
int32_t reference_get32(const char *bytes) { return (int32_t)(uint32_t)get(bytes, 4); }

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16, KEYS = 1000 };

/* Appends a field of a row, and returns the end. */
static char *field(char *end, const void *bytes, int length) {
    reference_put32(end, length);
    memcpy(end + 4, bytes, (size_t)length);
    return end + 4 + length;
}

static char *row(
    char *end, int has_segment, const char *destination, const char *key, const char *payload, int size) {
    reference_put16(end, has_segment ? 4 : 3);
    end += 2;
    if (has_segment) end = field(end, "\0\0", 2); /* a new outbox writes to segment 0 */
    end = field(end, destination, (int)strlen(destination));
    end = field(end, key, (int)strlen(key));
    return field(end, payload, size);
}

static void send_rows(
    PGconn *connection, int has_segment, const char *destination, int64_t messages, int size, reference_result *result) {
    char keys[KEYS][16];
    for (int index = 0; index < KEYS; index++) snprintf(keys[index], sizeof keys[index], "key-%d", index);
    size_t longest = strlen(destination) + (size_t)size + 64;
    char *buffer = malloc(CHUNK + longest);
    char *payload = malloc((size_t)size + 1);
    memset(payload, 'x', (size_t)size);

    memcpy(buffer, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
    char *end = buffer + 19;
    for (int64_t index = 0; index < messages && !result->error[0]; index++) {
        end = row(end, has_segment, destination, keys[index % KEYS], payload, size);
        if (end - buffer < CHUNK) continue;
        if (PQputCopyData(connection, buffer, (int)(end - buffer)) != 1) reference_fail(result, connection);
        end = buffer;
    }
    reference_put16(end, -1);
    end += 2;
    if (PQputCopyData(connection, buffer, (int)(end - buffer)) != 1) reference_fail(result, connection);
    if (PQputCopyEnd(connection, NULL) != 1) reference_fail(result, connection);
    free(payload);
    free(buffer);

    PGresult *answer = PQgetResult(connection);
    if (reference_check(result, connection, answer, PGRES_COMMAND_OK)) {
        result->messages = strtoll(PQcmdTuples(answer), NULL, 10);
        result->bytes = result->messages * size;
    }
    PQclear(answer);
    while ((answer = PQgetResult(connection))) PQclear(answer);
}

reference_result reference_copy(
    const char *conninfo, const char *table, int has_segment, const char *destination, int64_t messages, int size) {
    reference_result result = {0};
    PGconn *connection = reference_connect(conninfo, &result);
    if (!connection) return result;
    char text[512];
    snprintf(
        text, sizeof text, "COPY %s (%sdestination, key, payload) FROM STDIN WITH (FORMAT binary)", table,
        has_segment ? "segment, " : "");
    double began = reference_now();
    PGresult *answer = PQexec(connection, text);
    if (reference_check(&result, connection, answer, PGRES_COPY_IN)) {
        send_rows(connection, has_segment, destination, messages, size, &result);
    }
    PQclear(answer);
    result.seconds = reference_now() - began;
    PQfinish(connection);
    return result;
}

#include "support.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>

typedef struct {
    PGconn *connection;
    int is_busy;
    int needs_flush;
} client;

static void send_statement(client *client, reference_result *result) {
    char now[8];
    reference_put64(now, (int64_t)(reference_now() * 1e9));
    const char *values[] = {now};
    int lengths[] = {8};
    int formats[] = {1};
    if (!PQsendQueryPrepared(client->connection, "commit", 1, values, lengths, formats, 1)) {
        reference_fail(result, client->connection);
        return;
    }
    client->is_busy = 1;
    client->needs_flush = PQflush(client->connection) == 1;
}

/* Takes what has arrived. Returns whether the client has committed. */
static int receive(client *client, reference_result *result) {
    if (client->needs_flush) client->needs_flush = PQflush(client->connection) == 1;
    if (!PQconsumeInput(client->connection)) reference_fail(result, client->connection);
    while (!result->error[0] && !PQisBusy(client->connection)) {
        PGresult *answer = PQgetResult(client->connection);
        if (!answer) {
            client->is_busy = 0;
            return 1;
        }
        reference_check(result, client->connection, answer, PGRES_COMMAND_OK);
        PQclear(answer);
    }
    return 0;
}

static void run(client *clients, int count, double seconds, int64_t messages, double rate, reference_result *result) {
    struct pollfd *sockets = calloc((size_t)count, sizeof *sockets);
    int64_t sent = 0;
    double began = reference_now();
    for (;;) {
        double elapsed = reference_now() - began;
        int64_t limit = messages > 0 ? messages : INT64_MAX;
        if (seconds > 0 && elapsed >= seconds) limit = sent;
        int64_t allowed = rate > 0 ? (int64_t)(elapsed * rate) + 1 : INT64_MAX;
        int busy = 0;
        for (int index = 0; index < count && !result->error[0]; index++) {
            client *each = &clients[index];
            if (!each->is_busy && sent < limit && sent < allowed) {
                send_statement(each, result);
                sent++;
            }
            busy += each->is_busy;
            sockets[index].fd = each->is_busy ? PQsocket(each->connection) : -1;
            sockets[index].events = POLLIN | (each->needs_flush ? POLLOUT : 0);
        }
        if (result->error[0] || (busy == 0 && sent >= limit)) break;

        double wait = 1;
        if (rate > 0 && busy < count) wait = fmin(wait, (double)sent / rate - elapsed);
        if (poll(sockets, (nfds_t)count, (int)ceil(fmax(wait, 0) * 1000)) < 0) continue;
        for (int index = 0; index < count && !result->error[0]; index++) {
            if (sockets[index].fd < 0 || !sockets[index].revents) continue;
            result->messages += receive(&clients[index], result);
        }
        result->seconds = reference_now() - began;
    }
    free(sockets);
}

reference_result reference_commits(
    const char *conninfo, const char *statement, int count, double seconds, int64_t messages, double rate) {
    reference_result result = {0};
    client *clients = calloc((size_t)count, sizeof *clients);
    int connected = 0;
    while (connected < count) {
        PGconn *connection = reference_connect(conninfo, &result);
        if (!connection) break;
        clients[connected++].connection = connection;
        if (!reference_prepare(&result, connection, "commit", statement, 1, (const Oid[]){INT8})) break;
        PQsetnonblocking(connection, 1);
    }
    if (!result.error[0]) run(clients, count, seconds, messages, rate, &result);
    for (int index = 0; index < connected; index++) PQfinish(clients[index].connection);
    free(clients);
    return result;
}

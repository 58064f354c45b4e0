#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct reference_goal {
    _Atomic int64_t messages;
};

reference_goal *reference_goal_create(int64_t messages) {
    reference_goal *goal = calloc(1, sizeof *goal);
    atomic_store(&goal->messages, messages);
    return goal;
}

void reference_goal_set(reference_goal *goal, int64_t messages) { atomic_store(&goal->messages, messages); }

void reference_goal_free(reference_goal *goal) { free(goal); }

typedef struct {
    PGconn *connection;
    int has_channel;
    int is_transaction;
    int page;
    reference_goal *goal;
    /* An array of ids as the server takes it. */
    char *ids;
    reference_result result;
} worker;

static const char *settings =
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    "SET jit = off; SET plan_cache_mode = force_generic_plan; SET synchronous_commit = off";

static int is_done(const worker *worker) {
    return worker->result.error[0] || worker->result.messages >= atomic_load(&worker->goal->messages);
}

static int prepare(worker *worker, const char *claim, const char *finish, const char *channel) {
    PGconn *connection = worker->connection;
    reference_result *result = &worker->result;
    char text[256];
    snprintf(text, sizeof text, "LISTEN %s", channel ? channel : "nothing");
    return reference_execute(result, connection, settings) &&
           (!channel || reference_execute(result, connection, text)) &&
           reference_prepare(result, connection, "claim", claim, 1, (const Oid[]){INT8}) &&
           reference_prepare(result, connection, "finish", finish, 1, (const Oid[]){INT8_ARRAY});
}

static PGresult *execute(worker *worker, const char *name, const char *value, int length) {
    int formats[] = {1};
    return PQexecPrepared(worker->connection, name, 1, &value, &length, formats, 1);
}

/* Remembers the ids of the rows, and delivers them. Returns the length of the array. */
static int take(worker *worker, PGresult *rows) {
    int count = PQntuples(rows);
    char *end = worker->ids;
    int32_t head[] = {1, 0, INT8, count, 1};
    for (int index = 0; index < 5; index++, end += 4) reference_put32(end, head[index]);
    for (int row = 0; row < count; row++, end += 12) {
        reference_put32(end, 8);
        reference_put64(end + 4, reference_get64(PQgetvalue(rows, row, 0)));
        worker->result.bytes += PQgetlength(rows, row, 1);
    }
    return (int)(end - worker->ids);
}

/* Returns how many messages there were. */
static int handle_page(worker *worker) {
    PGconn *connection = worker->connection;
    reference_result *result = &worker->result;
    char page[8];
    reference_put64(page, worker->page);
    if (worker->is_transaction && !reference_execute(result, connection, "BEGIN")) return 0;
    PGresult *rows = execute(worker, "claim", page, 8);
    int count = 0;
    if (reference_check(result, connection, rows, PGRES_TUPLES_OK) && (count = PQntuples(rows)) > 0) {
        int length = take(worker, rows);
        PGresult *answer = execute(worker, "finish", worker->ids, length);
        reference_check(result, connection, answer, PGRES_COMMAND_OK);
        PQclear(answer);
    }
    PQclear(rows);
    if (worker->is_transaction && !result->error[0]) reference_execute(result, connection, "COMMIT");
    return count;
}

/* Waits until there may be something to claim. */
static void pause_until_notified(worker *worker) {
    if (!worker->has_channel) {
        reference_wait(worker->connection, 20);
        return;
    }
    /* In short rounds, because the goal may become known meanwhile. */
    for (int round = 0; round < 50 && !is_done(worker); round++) {
        int is_notified = 0;
        for (PGnotify *notice; (notice = PQnotifies(worker->connection)); PQfreemem(notice)) is_notified = 1;
        if (is_notified) return;
        if (!reference_wait(worker->connection, 20)) continue;
        if (!PQconsumeInput(worker->connection)) reference_fail(&worker->result, worker->connection);
    }
}

reference_result reference_work(
    const char *conninfo, const char *claim, const char *finish, const char *channel, int is_transaction, int page,
    reference_goal *goal) {
    worker worker = {.has_channel = channel != NULL, .is_transaction = is_transaction, .page = page, .goal = goal};
    reference_result *result = &worker.result;
    worker.connection = reference_connect(conninfo, result);
    if (!worker.connection) return *result;
    worker.ids = malloc(20 + 12 * (size_t)page);
    if (prepare(&worker, claim, finish, channel)) {
        double began = reference_now(), last = began;
        while (!is_done(&worker)) {
            int count = handle_page(&worker);
            result->messages += count;
            if (count > 0) {
                last = reference_now();
            } else if (reference_now() - last > 60) {
                snprintf(result->error, sizeof result->error, "nothing has come for a minute");
            } else {
                pause_until_notified(&worker);
            }
        }
        result->seconds = last - began;
    }
    free(worker.ids);
    PQfinish(worker.connection);
    return *result;
}

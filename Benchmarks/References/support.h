/* What the references have in common. */
#ifndef OUTBOX_SUPPORT_H
#define OUTBOX_SUPPORT_H

#include "references.h"

#include <libpq-fe.h>

/* The types of parameters. */
enum { INT8 = 20, TEXT = 25, INT8_ARRAY = 1016 };

/* Connects; null: it failed, and the result says why. */
PGconn *reference_connect(const char *conninfo, reference_result *result);

/* Says why it failed, unless something has been said before. */
void reference_fail(reference_result *result, PGconn *connection);

/* Whether a statement did what it should; says why not. */
int reference_check(reference_result *result, PGconn *connection, PGresult *answer, ExecStatusType expected);

/* Runs SQL that returns nothing. */
int reference_execute(reference_result *result, PGconn *connection, const char *sql);

/* Prepares a statement; types: of its parameters. */
int reference_prepare(
    reference_result *result, PGconn *connection, const char *name, const char *sql, int count, const Oid *types);

/* Waits until there is something to read. Returns whether there is. */
int reference_wait(PGconn *connection, int milliseconds);

/* A number, most significant byte first. */
void reference_put64(char *bytes, int64_t value);
void reference_put32(char *bytes, int32_t value);
void reference_put16(char *bytes, int16_t value);
int64_t reference_get64(const char *bytes);
int32_t reference_get32(const char *bytes);

#endif

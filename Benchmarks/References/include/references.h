/* What the benchmarks measure against: the least that a program in C with libpq can do for the same result. */
#ifndef OUTBOX_REFERENCES_H
#define OUTBOX_REFERENCES_H

#include <stdint.h>

/* What a reference has done, and in what time. */
typedef struct {
    double seconds;
    int64_t messages;
    /* Of the payloads. */
    int64_t bytes;
    /* What went wrong; empty: nothing. */
    char error[512];
} reference_result;

/*
 * Reads all messages of a destination in pages, by id, in binary, and looks at the length of every payload. It keeps no
 * cursor, knows no late commits and delivers to nobody. The connection and the plan are not in the time.
 *
 * log: the table, qualified and quoted.
 */
reference_result reference_drain(const char *conninfo, const char *log, const char *destination, int page);

#endif

#ifndef SWIFT_OUTBOX_CLIBPQ_SHIM_H
#define SWIFT_OUTBOX_CLIBPQ_SHIM_H

#include <libpq-fe.h>

#ifdef __linux__
#include <poll.h>
#include <signal.h>
#include <time.h>

/* The C library declares it only for programs that ask for GNU's extensions. */
extern int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *timeout, const sigset_t *mask);

/* poll(2) whose limit is in nanoseconds, less than a second. */
static inline int outbox_poll(struct pollfd *descriptors, nfds_t count, long nanoseconds) {
    struct timespec timeout = {0, nanoseconds};
    return ppoll(descriptors, count, &timeout, NULL);
}
#endif

#endif

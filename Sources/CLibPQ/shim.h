#ifndef SWIFT_OUTBOX_CLIBPQ_SHIM_H
#define SWIFT_OUTBOX_CLIBPQ_SHIM_H

#include <libpq-fe.h>

/* Lets the processor fetch what is at an address that will be read soon. */
static inline void outbox_prefetch(const void *address) { __builtin_prefetch(address); }

#endif

#ifndef SWIFT_OUTBOX_CLIBPQ_SHIM_H
#define SWIFT_OUTBOX_CLIBPQ_SHIM_H

#include <libpq-fe.h>

#endif

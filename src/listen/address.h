/* The socket that a listener takes connections from. */
#ifndef LISTEN_ADDRESS_H
#define LISTEN_ADDRESS_H

#include "base/err.h"
#include "listen/listen.h"

/* Opens it; `where` becomes the numeric address. Errors as those of listener_open. */
SEAL_MUST_USE enum seal_status address_listen(const char *address, int *fd, char where[LISTEN_ADDRESS_MAX],
					      struct seal_err *err);

#endif

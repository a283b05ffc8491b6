/* The socket that a listener takes connections from. */
#ifndef LISTEN_ADDRESS_H
#define LISTEN_ADDRESS_H

#include "base/err.h"
#include "listen/listen.h"

/* Opens it; `where` becomes the numeric address. Errors as those of listener_open. */
SEAL_MUST_USE enum seal_status address_listen(const char *address, int *fd, char where[LISTEN_ADDRESS_MAX],
					      struct seal_err *err);
/* Do only processes of this machine reach it? */
bool address_is_loopback(int fd);
/*
 * May a request with the header `host` be answered at a loopback address that was told as `address`? A page of a browser can give
 * its own name that address (DNS rebinding), and read what is answered: so the name must be ours, "localhost", or no name
 * but an IP address, which cannot be another's.
 */
bool address_takes(const char *address, const char *host);

#endif

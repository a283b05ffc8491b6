/*
 * A store in one file: "sqlite:PATH", for programs on one machine. A relative path starts at the current directory. The file is
 * made with mode 0600; its directory must exist.
 */
#ifndef STORES_SQLITE_H
#define STORES_SQLITE_H

#include "stores/store.h"

extern const struct store_ops sqlite_store;
bool sqlite_address_check(struct seal_bytes address, const char **why);

#endif

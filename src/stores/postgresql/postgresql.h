/*
 * A store in a PostgreSQL server: "postgresql://USER@HOST:PORT/NAME?sslmode=verify-full", as libpq reads it, but never with a password:
 * that comes from PGPASSFILE (~/.pgpass), PGPASSWORD or a certificate. One table; see docs/STORES.md.
 */
#ifndef STORES_POSTGRESQL_H
#define STORES_POSTGRESQL_H

#include "stores/store.h"

extern const struct store_ops postgresql_store;
bool postgresql_address_check(struct seal_bytes address, const char **why);

#endif

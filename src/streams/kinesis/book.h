/*
 * Where a reader's place in each shard is kept, and whose shard it is: one small text a shard, changed only by who knows how it
 * stands. In a data base for several readers (struct store_ops), in a file for one, or nowhere.
 *
 *   book_open ── book_get, book_insert, book_change (each a lot) ── book_close           one thread at a time
 */
#ifndef STREAMS_KINESIS_BOOK_H
#define STREAMS_KINESIS_BOOK_H

#include "stores/store.h"

struct book;

/*
 * `address`: "file:PATH", that of a store, or NULL: this process's memory. SEAL_USAGE: none of these; SEAL_RETRY/SEAL_E_BUSY: another
 * process has the file.
 */
SEAL_MUST_USE enum seal_status book_open(const char *address, const struct store_ops *const *stores,
					 struct book **out, struct seal_err *err);
/* Others may have it open, too. */
bool book_is_shared(const struct book *book);
/* As the operations of stores. Results are in `arena`. Once a lot returns it survives a crash. */
SEAL_MUST_USE enum seal_status book_get(struct book *book, struct store_item *items, size_t n, struct arena *arena,
					struct seal_err *err);
SEAL_MUST_USE enum seal_status book_insert(struct book *book, struct store_item *items, size_t n, struct arena *arena,
					   struct seal_err *err);
SEAL_MUST_USE enum seal_status book_change(struct book *book, struct store_change *changes, size_t n,
					   struct arena *arena, struct seal_err *err);
void book_close(struct book *book); /* accepts NULL */

#endif

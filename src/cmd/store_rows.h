/* All rows of a store, looked at without a key: are they of the form that this program writes, and is the store key of each still there? */
#ifndef CMD_STORE_ROWS_H
#define CMD_STORE_ROWS_H

#include "cmd/store_find.h"

enum store_row_kind {
	STORE_ROW_STORE_KEY,
	STORE_ROW_PEPPER,
	STORE_ROW_CURRENT,
	STORE_ROW_PERSON,
	STORE_ROW_FORGOTTEN,
	STORE_ROW_TOKEN,
	STORE_ROW_FINGERPRINT,
	STORE_ROW_STATE,
	STORE_ROW_KINDS
};
extern const char *const store_row_names[STORE_ROW_KINDS]; /* "store_keys": for JSON */
extern const char *const store_row_words[STORE_ROW_KINDS]; /* "store keys" */

struct store_rows {
	uint64_t counts[STORE_ROW_KINDS];
	uint64_t unknown; /* none of the above: somebody else's, or damaged */
	uint64_t lost; /* the store has no such store key any more */
};

/* Of all spaces. Others may write meanwhile. */
SEAL_MUST_USE enum seal_status store_rows_look(const struct store_ref *ref, struct store_rows *out,
					       struct seal_err *err);
/* All rows, and how many of them are not as they should be. */
uint64_t store_rows_all(const struct store_rows *rows);
uint64_t store_rows_bad(const struct store_rows *rows);

#endif

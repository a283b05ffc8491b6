/*
 * Methods: what happens to a value. The engine gathers the values of a batch that one method gets into a lot and
 * hands it over whole; a method never sees a record.
 *
 *   method          compiled from the policy, key attached      immutable, shared by threads
 *   method_session  the same in use by one engine               one thread at a time
 */
#ifndef METHODS_METHOD_H
#define METHODS_METHOD_H

#include "base/arena.h"
#include "keys/key.h"
#include "policy/policy.h"
#include "stores/store.h"

#define CELL_PERSON_MAX 1024 /* bytes of cell.person */

enum cell_kind {
	CELL_STRING = 1, /* `in` is the decoded text of a JSON string, valid UTF-8 */
	CELL_JSON = 2, /* `in` is the exact text of a JSON value; a string without Unicode text is one, too */
	CELL_BYTES = 3 /* `in` is a whole payload */
};

/* How `out` becomes bytes of the record. */
enum cell_form {
	FORM_UNSET = 0, /* not done: the engine treats it as a bug of the method */
	FORM_ASCII, /* a JSON string that needs no escapes: the engine adds quotes */
	FORM_STRING, /* a JSON string: the engine checks UTF-8, escapes and adds quotes */
	FORM_JSON, /* exact JSON text; after a reveal the engine checks that it is one value */
	FORM_REMOVE, /* the member goes away */
	FORM_KEEP /* stays as it is */
};

/* One value. Filled by the engine; the method sets out and form, or err. */
struct cell {
	struct seal_bytes in;
	struct seal_bytes place; /* what it is bound to; empty: nothing. Cells of one rule share the pointer
				     * where it does not depend on the record */
	struct seal_bytes person; /* METHOD_PER, protect: whose key, 1 … CELL_PERSON_MAX bytes; else empty */
	struct seal_bytes out; /* in the lot's arena, or a view of `in` */
	const struct seal_err *err; /* NULL, or why it failed; in the lot's arena. Never shows the value */
	enum cell_kind kind;
	enum cell_form form;
	uint8_t json_type; /* enum json_type of the value in the record */
	uint32_t record; /* the engine's; methods leave it alone */
	uint32_t hit;
};

/*
 * The record header seal-key, beside a record: wrapped keys for `carry: header` (docs/FORMAT.md). Methods append what their
 * cells need; nothing is ever taken out by them.
 */
struct carrier {
	struct seal_bytes value; /* ptr NULL: there is none. Set anew by methods, in the lot's arena */
};

struct lot {
	struct cell *cells;
	size_t n;
	struct carrier *carriers; /* by cell.record; NULL: these records have no headers */
	struct arena *arena; /* results and scratch of this batch */
	uint64_t deadline_ms;
};

struct method_session {
	const struct method_session_ops *ops;
};

struct method_session_ops {
	size_t size;
	/*
	 * Every cell gets out and form, or err. The call fails only when nothing could be done (a key source that is
	 * away); then no cell counts. With METHOD_TEXT_FORM, reveal gets `in` without the "json+" prefix: kind tells.
	 */
	enum seal_status (*protect)(struct method_session *session, struct lot *lot, struct seal_err *err);
	enum seal_status (*reveal)(struct method_session *session, struct lot *lot,
				   struct seal_err *err); /* NULL: one-way */
	/*
	 * Protected values again, under the newest version of their key; FORM_KEEP for what is there already. An empty lot
	 * asks, at start, whether it can: SEAL_USAGE/SEAL_E_KEY_TYPE. NULL: nothing to do, all values stay as they are.
	 */
	enum seal_status (*rewrap)(struct method_session *session, struct lot *lot, struct seal_err *err);
	void (*free)(struct method_session *session); /* accepts NULL */
};

struct method {
	const struct method_ops *ops;
};

/* What the plan opens for a method. */
struct method_needs {
	struct key *key; /* NULL when the kind needs none; it has the use that the kind's flags ask for */
	const struct key_metrics *metrics; /* where caches count; NULL: nowhere */
	struct store *store; /* of spec->store; NULL when that is */
	const char *namespace_; /* of the policy */
	struct method *const *before; /* methods of the plan that were opened before; all are freed together */
	size_t n_before;
};

struct method_ops {
	struct method_kind kind; /* first: the policy sees only this */
	/* What `needs` holds outlives the method. */
	enum seal_status (*open)(const struct policy_method *spec, const struct method_needs *needs,
				 struct method **out, struct seal_err *err);
	enum seal_status (*session)(const struct method *method, struct method_session **out, struct seal_err *err);
	void (*free)(struct method *method); /* accepts NULL */
};

/* Sets cell->err to a copy in the lot's arena, with SEAL_DATA. */
void cell_fail(struct lot *lot, struct cell *cell, enum seal_code code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same from an error that a key source gave. */
void cell_fail_err(struct cell *cell, const struct seal_err *err);

#endif

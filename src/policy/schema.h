/*
 * What a policy must know of the methods and key sources that exist, without seeing them: names, options and
 * what they may do. The program's registry fills it.
 */
#ifndef POLICY_SCHEMA_H
#define POLICY_SCHEMA_H

#include "base/buf.h"
#include "base/opt.h"

enum method_flag {
	METHOD_ENCRYPT_KEY = 1 << 0, /* needs `key:`, one that encrypts */
	METHOD_HMAC_KEY = 1 << 1, /* needs `key:`, one that makes HMACs */
	METHOD_FPE_KEY = 1 << 2, /* needs `key:`, one for FPE */
	METHOD_BINDS = 1 << 3, /* takes `bind:` */
	METHOD_TEXT_FORM = 1 << 4, /* its results are text forms that name themselves (vault:, json+vault:) */
	METHOD_ONE_WAY = 1 << 5, /* cannot be revealed */
	METHOD_REMOVES = 1 << 6, /* takes the member away; not allowed on `$` */
	METHOD_BYTES = 1 << 7, /* can take a whole payload (format: bytes) */
	METHOD_TRANSFORM_KEY = 1 << 8, /* its key is a role of Vault's Transform; made by `own_key` */
	METHOD_PER = 1 << 9, /* takes `key: {name: K, per: PATH, store: S}`: a data key for each value of PATH */
	METHOD_CARRIES = 1 << 10, /* under these options: needs records that have headers (carry: header) */
	METHOD_BYTES_ONLY = 1 << 11, /* under these options: takes whole payloads only (carry: bytes) */
	METHOD_DATA_KEYS = 1 << 12, /* its key wraps data keys and never sees a value, nor what a value is bound to */
	METHOD_STORE = 1 << 13, /* takes `store:`, where it keeps its rows; may be left out when the policy has one */
	/* Under these options: equal values give equal results, which reveal: fit for record keys. */
	METHOD_STABLE = 1 << 14,
	/* Its key must be a convergent one, which makes another of what a value is bound to: `bind: none` is a mistake. */
	METHOD_CONVERGENT_KEY = 1 << 15
};

#define METHOD_ANY_KEY (METHOD_ENCRYPT_KEY | METHOD_HMAC_KEY | METHOD_FPE_KEY | METHOD_TRANSFORM_KEY)

struct method_kind {
	size_t size;
	const char *name; /* `type:` in a policy */
	const char *summary; /* one line, for explain and docs */
	const char *
		leaks; /* what results still show, in a word or two for explain: "length", "equality, format", "nothing" */
	unsigned flags;
	const struct opt_row *options; /* its own keys in a policy; a nested map {first: 6} is "keep.first" */
	size_t options_size; /* of the struct that the rows fill */
	/* Names of rows that say how new values are made: those made under others reveal all the same. Ended by NULL; NULL: none. */
	const char *const *write_options;
	/* Checks options against each other; compiles nothing. NULL: nothing to check. */
	enum seal_status (*check)(const void *options, struct seal_err *err);
	/*
	 * For a kind that has no `key:` but names its key by options of its own: appends "scheme:reference" to `out`.
	 * NULL: the kind takes `key:` where its flags ask for one.
	 */
	enum seal_status (*own_key)(const void *options, struct seal_buf *out, struct seal_err *err);
	/*
	 * For a kind whose options decide what it does: its flags under these options. `flags` has what may be then, METHOD_BINDS
	 * above all. NULL: `flags` as they are.
	 */
	unsigned (*flags_of)(const void *options);
	/*
	 * For one-way kinds, of whose results nothing proves what they are: could this value be one, by its shape? `text`: of a
	 * string, or a payload; else JSON text, and `string` is false. NULL: anything could.
	 */
	bool (*could_be)(const void *options, bool string, struct seal_bytes text);
};

struct key_scheme {
	const char *name; /* "local" */
	const char *help;
	bool (*check)(struct seal_bytes reference, const char **why);
};

struct policy_schema {
	const struct method_kind *const *methods; /* ended by NULL */
	const struct key_scheme *schemes; /* ended by a row without name */
	const struct key_scheme *stores; /* the same for `stores:`; `check` gets the whole address. NULL: none */
};

#endif

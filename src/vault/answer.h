/*
 * Answers of Transit and Transform, read with the scanner: no tree, no copy of the body. What is a batch's result is found
 * once for the whole answer, then each result's fields on their own.
 */
#ifndef VAULT_ANSWER_H
#define VAULT_ANSWER_H

#include "base/arena.h"
#include "base/err.h"

/* The members that are read, of one result of a batch or of the answer's `data`. */
enum vault_field {
	VAULT_CIPHERTEXT,
	VAULT_PLAINTEXT,
	VAULT_HMAC,
	VAULT_ENCODED_VALUE,
	VAULT_DECODED_VALUE,
	VAULT_TWEAK,
	VAULT_ERROR,
	VAULT_FIELDS
};

/* A string of the answer as it stands there; `there` false: absent or null. */
struct vault_text {
	struct seal_bytes raw;
	bool there, escaped;
};

struct vault_result {
	struct vault_text field[VAULT_FIELDS];
	unsigned status; /* of the answer, where a batch is read */
};

struct vault_answer;

SEAL_MUST_USE enum seal_status vault_answer_new(struct vault_answer **out, struct seal_err *err);
void vault_answer_free(struct vault_answer *answer);

/*
 * Reads `body`, which must stay as it is while its parts are asked for. SEAL_DATA/SEAL_E_SYNTAX: not JSON, or a member
 * has a type that it cannot have.
 */
SEAL_MUST_USE enum seal_status vault_answer_read(struct vault_answer *answer, struct seal_bytes body,
						 struct seal_err *err);
/* Results of a batch; 0: the answer is not a batch's. */
size_t vault_answer_results(const struct vault_answer *answer);
/* Result i; SEAL_DATA/SEAL_E_SYNTAX when a member stands there twice or is no string. */
SEAL_MUST_USE enum seal_status vault_answer_result(struct vault_answer *answer, size_t i, struct vault_result *out,
						   struct seal_err *err);
/* A member of `data`, of an answer that is not a batch's. */
struct vault_text vault_answer_data(const struct vault_answer *answer, enum vault_field field);
/* True when one of `warnings` says that the server does not know the parameter `name`. */
bool vault_answer_ignored(const struct vault_answer *answer, const char *name);

/* The text without its escapes, a view of the body or in `arena`; ptr NULL: no memory. False: it is no Unicode text. */
bool vault_text_decode(const struct vault_text *text, struct arena *arena, struct seal_bytes *out);

#define VAULT_QUOTE_MAX 200

/*
 * What the server says in `errors` (or in any other text of its), fit for a message: one line, without control
 * characters and the decoration of Go's lists, at most VAULT_QUOTE_MAX bytes. "" when it says nothing.
 */
void vault_quote(struct seal_bytes raw, char out[VAULT_QUOTE_MAX + 1]);
/* The same for all of `errors` of a body. SEAL_DATA: it is not JSON; SEAL_FATAL: no memory. `out` is "" then. */
enum seal_status vault_answer_errors(struct seal_bytes body, char out[VAULT_QUOTE_MAX + 1]);

#endif

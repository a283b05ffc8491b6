/* A lot on its way to tokens: what protect.c and make.c share. */
#ifndef TOKENS_WANT_H
#define TOKENS_WANT_H

#include "tokens/work.h"

/* A token that is needed: for one item, or for all equal ones of a convergent lot. */
struct token_want {
	const struct token_item *item; /* the first of them */
	struct token_record record; /* what its row will say */
	uint8_t group[TOKEN_GROUP_LEN];
	struct token_seek finger, token;
	struct seal_bytes chosen; /* the token, once it is settled; ptr NULL before */
	const struct seal_err *err; /* why it fails, as far as this go knows */
	bool bad; /* no go can help it */
	bool replace; /* an expired fingerprint stands in its way, in the current generation */
	bool placed, found; /* this go: the token's row was inserted; its fingerprint stands, too */
	unsigned lost; /* goes in which a fingerprint had no token */
};

struct token_lot {
	const struct token_terms *terms;
	struct token_want *wants;
	size_t n;
	uint64_t now_ms, expires_ms; /* of new tokens */
};

/*
 * Makes tokens for `wants`, whose fingerprints are sought. Those that are `chosen` afterwards are stored; those with err fail; for
 * the others somebody else was faster.
 */
SEAL_MUST_USE enum seal_status token_make(struct token_work *w, struct token_lot *lot, struct token_want **wants,
					  size_t n, struct seal_err *err);

#endif

/*
 * The method envelope at work, shared by its files.
 *
 *   envelope.c           options, life, keyed contexts
 *   envelope_protect.c   values ──▶ envelopes
 *   envelope_read.c      envelopes ──▶ the key that each one names, and its message
 *   envelope_reveal.c    those ──▶ values
 *   envelope_rewrap.c    … wrapped keys under the newest version of their key encryption key
 */
#ifndef METHODS_ENVELOPE_WORK_H
#define METHODS_ENVELOPE_WORK_H

#include "base/buf.h"
#include "crypto/random.h"
#include "keys/person_keys.h"
#include "methods/envelope_group.h"
#include "methods/envelope_header.h"
#include "methods/method.h"

#define ENVELOPE_CHUNK 64 /* messages on their way at once */
#define ENVELOPE_CHUNK_BYTES ((size_t)64 << 10) /* a chunk ends where it holds more than this */
#define ENVELOPE_CONTEXTS 256 /* keyed contexts that a session keeps; a page of locked memory each */
#define ENVELOPE_RENEWED 32 /* renewed wrapped keys that a session remembers, for max_age */
#define ENVELOPE_KEYS_MAX 4096 /* different data keys that one record's values may be under */

enum carry { CARRY_VALUE, CARRY_HEADER, CARRY_BYTES };

struct envelope_options {
	int carry; /* enum carry */
	int64_t max_uses, max_age_ms;
};

struct envelope_method {
	struct method base;
	const struct policy_method *spec;
	struct key *kek;
	bool derived; /* the KEK: it takes DATA_KEYS_CONTEXT */
	bool borrowed; /* `keys` is an earlier method's of the same plan */
	struct data_keys *keys;
	struct person_keys *people; /* `per` alone; else NULL */
};

/* A key that is ready for use; in the slot that its commitment says. */
struct envelope_context {
	struct data_key *key; /* a reference; NULL: free */
	struct aead *aead;
	uint64_t since_ms;
};

/* A wrapped key that was renewed a moment ago: the next lots of a run have the same. */
struct envelope_renewed {
	struct seal_buf old, new; /* texts; empty: a free slot. Equal: it was under the newest version */
	uint64_t asked_ms;
};

struct envelope_session {
	struct method_session base;
	const struct envelope_method *method;
	struct key_session *kek;
	struct random_pool nonces;
	struct envelope_context contexts[ENVELOPE_CONTEXTS];
	struct seal_buf raw; /* a chunk's bytes before they become text; no plaintext */
	struct envelope_renewed renewed[ENVELOPE_RENEWED];
	size_t next_renewed; /* which one is replaced next */
};

static inline const struct envelope_options *envelope_options_of(const struct envelope_session *s)
{
	return s->method->spec->options;
}

/* Valid until the next call; a key that hashes to the same slot takes the other's place. */
SEAL_MUST_USE enum seal_status envelope_context_get(struct envelope_session *s, struct data_key *key,
						    struct aead **out, struct seal_err *err);

/* Before each lot: keys that are older than max_age here are let go of, so that what was forgotten is not held on to. */
void envelope_contexts_expire(struct envelope_session *s);

SEAL_MUST_USE enum seal_status envelope_protect(struct method_session *base, struct lot *lot, struct seal_err *err);
SEAL_MUST_USE enum seal_status envelope_reveal(struct method_session *base, struct lot *lot, struct seal_err *err);
SEAL_MUST_USE enum seal_status envelope_rewrap(struct method_session *base, struct lot *lot, struct seal_err *err);

/* An envelope that was read. */
struct envelope_cell {
	enum envelope_how how;
	bool raw; /* bytes behind ENVELOPE_MAGIC, not text */
	uint32_t name; /* in `names`; NAME_NONE: not read, the cell has its error */
	uint8_t *message; /* nonce | ciphertext | tag; the reader's own copy */
	size_t len;
};

/* The cells of a lot as they were read, key by key. */
struct envelope_reader {
	struct lot *lot;
	struct envelope_cell *cells; /* by cell */
	/*
	 * Of each key. inline, carried: first the commitment, second the wrapped text. stored: first the person's id and the
	 * commitment, second empty.
	 */
	struct key_names names;
	uint32_t *described_by; /* by group: one of `names` */
	size_t n_groups; /* different keys */
	struct cell_groups groups; /* of cells without an error */

	uint8_t *room; /* for decoded bytes */
	/* What the envelope before began with: most begin the same. */
	struct seal_bytes head_text; /* base64 of the head's whole groups of 3 bytes */
	uint8_t tail[2]; /* and the bytes after them */
	size_t n_tail;
	struct envelope_cell like; /* how, name */
	/* The header that was parsed last; good: it is one. */
	struct seal_bytes header_value;
	struct key_header header;
	bool header_good;
};

/* All cells of the lot; bad ones have their error. Fails without memory alone. */
SEAL_MUST_USE enum seal_status envelope_read_lot(struct envelope_reader *reader, struct lot *lot,
						 struct seal_err *err);

static inline const struct key_name *reader_name(const struct envelope_reader *reader, size_t group)
{
	return &reader->names.names[reader->described_by[group]];
}

/* Cells of a group: *n of them, indexes. Only groups that have some need their key. */
static inline const uint32_t *reader_cells(const struct envelope_reader *reader, size_t group, size_t *n)
{
	*n = reader->groups.start[group + 1] - reader->groups.start[group];
	return reader->groups.order + reader->groups.start[group];
}

static inline bool reader_needs(const struct envelope_reader *reader, size_t group, bool stored)
{
	return reader->groups.start[group + 1] > reader->groups.start[group] &&
	       (reader_name(reader, group)->second.ptr == NULL) == stored;
}

#endif

/*
 * Dead letters: records that failed, on their way to a topic of their own. What the topic's rules protect leaves encrypted
 * whole: the value always, the key and headers where they have rules.
 */
#ifndef PUMP_DEAD_H
#define PUMP_DEAD_H

#include "pump/pump.h"

/* The last header of this name says which topic the record was in. */
#define DEAD_TOPIC_HEADER "seal-topic"

/* Where an encrypted value goes. */
struct dead_target {
	struct seal_bytes *to;
	size_t letter;
};

/* The dead letters of a batch. */
struct dead_letters {
	const struct policy_topic *topic; /* that the records failed under */
	struct engine
		*engine; /* NULL: none are made. Its own: results of others are still in use when letters are made */
	/* What is to be encrypted. */
	struct seal_bytes *values;
	struct dead_target *targets; /* beside them */
	struct engine_result *results; /* beside them */
	size_t n, cap;
	/* By letter. */
	size_t *outs; /* which record of the output */
	const struct seal_err *
		*why; /* after dead_letters_seal: NULL, or why it cannot be made; in the engine's memory */
	size_t letters;
};

/* `most`: letters of a batch. */
SEAL_MUST_USE enum seal_status dead_letters_init(struct dead_letters *dead, const struct pump_options *options,
						 size_t most, struct seal_err *err);
void dead_letters_clear(struct dead_letters *dead);
void dead_letters_reset(struct dead_letters *dead); /* for the next batch */

/*
 * out[index] becomes the dead letter of `record`, but for what is encrypted. Memory comes from `arena`; both must stay until the
 * batch has been written.
 */
SEAL_MUST_USE enum seal_status dead_letters_add(struct dead_letters *dead, const struct record *record,
						const struct seal_err *why, struct record *out, size_t index,
						struct arena *arena, struct seal_err *err);

/* Encrypts what the letters hold and puts it into them; `why` tells those that cannot be made. Fails as engine_dead_letter does. */
SEAL_MUST_USE enum seal_status dead_letters_seal(struct dead_letters *dead, struct seal_err *err);

#endif

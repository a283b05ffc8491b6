/*
 * The streams of a run: what an address and the command line's options make of each, what is lost from one to the other, and
 * opening them. Kafka's are opened with settings that source and sink share (kafka_use.h); all others with the options of their rows.
 */
#ifndef CMD_STREAM_USE_H
#define CMD_STREAM_USE_H

#include "cmd/stream_address.h"

struct stream_side {
	struct stream_address at;
	int which; /* PLATFORM_SOURCE, PLATFORM_SINK */
	const struct stream_traits *traits; /* as its options make it: of a file, lines or envelopes */
	struct seal_bytes topic; /* what policies call it; empty: it has no name of that kind */
};

/* SEAL_USAGE as stream_address_parse. The text is kept. */
SEAL_MUST_USE enum seal_status stream_side_init(struct command_call *call, int which, const char *text,
						struct stream_side *out, struct seal_err *err);
/*
 * Is all that stands on the command line for one of the two (one may be NULL), and does each have what it needs? SEAL_USAGE names
 * the option. `takes`: what the command itself uses of the shared names, whatever the streams, ended by NULL.
 */
SEAL_MUST_USE enum seal_status stream_sides_check(struct command_call *call, const struct stream_side *from,
						  const struct stream_side *to, const char *const *takes,
						  struct seal_err *err);

bool stream_side_is(const struct stream_side *side, const char *scheme);
/* Sets a row of the stream that the user has not set; false in *set (may be NULL): there is none of that name. */
SEAL_MUST_USE enum seal_status stream_side_set(const struct stream_side *side, const char *row, const char *value,
					       struct arena *arena, bool *set, struct seal_err *err);
bool stream_side_has(const struct stream_side *side, const char *row);
/* Was this side alone told it: --from-SCHEME-NAME, --to-SCHEME-NAME? */
bool stream_side_is_told(const struct stream_side *side, const char *name);
/* After options of a file were set: lines or envelopes. */
void stream_side_look_again(struct stream_side *side);

SEAL_MUST_USE enum seal_status stream_side_open_source(const struct stream_side *side, struct source **out,
						       struct seal_err *err);
SEAL_MUST_USE enum seal_status stream_side_open_sink(const struct stream_side *side, struct sink **out,
						     struct seal_err *err);

/* What `to` does not keep of what `from` has, as one text; "" when it keeps all. */
#define STREAM_LOST_MAX 600
void stream_lost(const struct stream_traits *from, const struct stream_traits *to, char out[STREAM_LOST_MAX]);

#endif

/*
 * A record as a message of SQS or SNS, and back: what both have in common, text and at most ten attributes.
 *
 *   value     the body: as it is where it is text that the service takes, else base64, and the attribute seal.encoding says so
 *   key       the attribute seal.key; on FIFO MessageGroupId, where it can stand there
 *   headers   attributes of the same names: String where the value is text, else Binary
 *
 * What cannot be is SEAL_DATA, the record's own failure: no value or an empty one, an empty header or key, more than ten attributes, a
 * name twice or with other characters than A-Z a-z 0-9 _ - . in it, a message that is longer than the service takes.
 */
#ifndef STREAMS_AWS_MESSAGE_H
#define STREAMS_AWS_MESSAGE_H

#include "streams/stream.h"

#define AWS_ATTRIBUTES_MAX 10
/* The same as words of struct stream_traits. */
#define AWS_TRAIT_KEY "attribute seal.key"
#define AWS_TRAIT_FIFO_KEY                                                                                           \
	"MessageGroupId; one that is no ASCII of 1 to 128 characters without spaces: its SHA-256 there, and the "    \
	"key "                                                                                                       \
	"in the attribute seal.key"
#define AWS_TRAIT_HEADERS "message attributes, at most 10"
#define AWS_TRAIT_NULL "refused"
#define AWS_GROUP_MAX 128

struct aws_attribute {
	struct seal_bytes name, value;
	bool binary;
	struct seal_bytes type; /* as the service calls it: "String", "Number.float", "Binary" */
};

/* Is the type Binary, or one of an application's below it? */
bool aws_is_binary(struct seal_bytes type);
/* Type and value are as a service gives them: sets `binary`, and decodes base64. *good false: it has no value, or one that is not that. */
SEAL_MUST_USE enum seal_status aws_attribute_decode(struct aws_attribute *attribute, struct arena *arena, bool *good,
						    struct seal_err *err);

struct aws_message {
	struct seal_bytes value; /* the record's */
	bool encoded; /* the body is its base64 */
	struct aws_attribute attributes[AWS_ATTRIBUTES_MAX];
	size_t n;
	char group[AWS_GROUP_MAX +
		   1]; /* FIFO: MessageGroupId; "": the record has no key, aws_message_name gives one */
	size_t bytes; /* body and attributes, as the services count them */
};

struct aws_message_rules {
	bool fifo, drop_headers;
	size_t max_bytes;
	const char *limit; /* what says so: "the queue's MaximumMessageSize" */
};

/* Of a queue or a topic: does its name say that it is FIFO, and can it be one at all: letters, digits, '-', '_'? */
bool aws_name_is_fifo(struct seal_bytes name);
bool aws_name_is_good(struct seal_bytes name, size_t max);

/* Views of the record. */
SEAL_MUST_USE enum seal_status aws_message_make(const struct aws_message_rules *rules, const struct record *record,
						struct aws_message *out, struct seal_err *err);

/* The longest record (key, value, headers) that surely fits, whatever is in it. */
size_t aws_message_record_max(size_t max_bytes);

/*
 * The same backwards: `body` and attributes, of which seal.key and seal.encoding are no headers; `group` empty: none. All views must
 * live as long as the record; what is decoded comes from `arena`. A body that does not decode makes record->broken.
 */
SEAL_MUST_USE enum seal_status aws_message_read(struct seal_bytes body, const struct aws_attribute *attributes,
						size_t n, struct seal_bytes group, struct arena *arena,
						struct record *out, struct seal_err *err);

/* What a sink's records are named by: random, of a run. */
#define AWS_RUN_LEN 16
SEAL_MUST_USE enum seal_status aws_run_new(char run[AWS_RUN_LEN + 1], struct seal_err *err);
/*
 * Names a message of FIFO: its MessageDeduplicationId, and where the record has no key a group of its own. Both are the same for each
 * try of it, since a queue may look for known ids within a group alone, and never another's. `copies`: the outbox's, of what must stand
 * there once more, under another id.
 */
#define AWS_DEDUPLICATION_MAX 64
void aws_message_name(struct aws_message *message, const char run[AWS_RUN_LEN + 1], uint64_t number, unsigned copies,
		      char deduplication[AWS_DEDUPLICATION_MAX]);

#endif

/* What source and sink share: the stream's address, calls, traits. */
#ifndef STREAMS_KINESIS_CALL_H
#define STREAMS_KINESIS_CALL_H

#include "aws/aws.h"
#include "json/value.h"
#include "streams/kinesis/kinesis.h"
#include "streams/rows.h"

#define KINESIS_CALL_MS 30000

extern const struct stream_traits kinesis_traits;

/* Option rows of both sides. */
#define KINESIS_ROWS                                                                                                 \
	ROW_AWS_REGION(struct kinesis_options, "the region, above an ARN's own, AWS_REGION and the profile's"),      \
		ROW_AWS_PROFILE(struct kinesis_options), ROW_AWS_ENDPOINT(struct kinesis_options, "KINESIS"),        \
		{.name = "ca-file",                                                                                  \
		 .arg = "FILE",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(struct kinesis_options, ca_file),                                                \
		 .help = "PEM certificates to trust (else AWS_CA_BUNDLE, or the system's)"},                         \
		ROW_REQUESTS(struct kinesis_options), ROW_MEMORY(struct kinesis_options)

/* A stream's name, or its ARN. */
struct kinesis_address {
	char *text;
	struct seal_bytes name; /* in it */
	bool is_arn;
};

SEAL_MUST_USE enum seal_status kinesis_address_read(const char *text, struct kinesis_address *out,
						    struct seal_err *err);
void kinesis_address_clear(struct kinesis_address *address);
/* As source_ops.topic. */
struct seal_bytes kinesis_topic(const char *address);
/* Appends "StreamName":"…" or "StreamARN":"…"; `topic`: a sibling of that name, empty: the stream itself. */
SEAL_MUST_USE enum seal_status kinesis_put_stream(const struct kinesis_address *address, struct seal_bytes topic,
						  struct seal_buf *out, struct seal_err *err);

SEAL_MUST_USE enum seal_status kinesis_client_new(const struct kinesis_options *options,
						  const struct kinesis_address *address, struct aws_client **out,
						  struct seal_err *err);

/* A call and what its answer's memory is. Cleared at the end; reset before it is used again, where its memory is to be kept. */
struct kinesis_call {
	struct aws_call call;
	bool once; /* as aws_call's; set before it is run, as this is: */
	uint64_t deadline_ms; /* 0: KINESIS_CALL_MS from then on */
	struct seal_buf body;
	struct json_value answer;
};

#define KINESIS_BODY_MAX (64u << 20)
void kinesis_call_init(struct kinesis_call *call);
void kinesis_call_clear(struct kinesis_call *call);
/* Wipes; large ones lose their memory, too. */
void kinesis_call_reset(struct kinesis_call *call);
/* Runs `operation` with the body; an answer that is no JSON object is SEAL_RETRY. A missing stream is SEAL_USAGE/`missing`. */
SEAL_MUST_USE enum seal_status kinesis_call_run(struct kinesis_call *call, struct aws_worker *worker,
						const char *operation, enum seal_code missing, struct seal_err *err);

#endif

/* The options of both sides, and how addresses of queues are read. Private to src/streams/sqs. */
#ifndef STREAMS_SQS_OPTIONS_H
#define STREAMS_SQS_OPTIONS_H

#include "streams/stream.h"

enum sqs_signature { SQS_SIGNATURE_VERIFY, SQS_SIGNATURE_SKIP };
enum sqs_checksums { SQS_CHECKSUMS_ALL, SQS_CHECKSUMS_BODY };

struct sqs_options {
	const char *region, *profile, *endpoint;
	int64_t requests;
	int checksums;
	int64_t visibility_ms, idle_ms; /* of the source */
	int signature;
	bool exit, look;
	int64_t linger_ms; /* of the sink */
	int headers;
	int64_t memory;
};

extern const struct opt_row sqs_source_rows[], sqs_sink_rows[];
extern const struct stream_traits sqs_traits;

#define SQS_NAME_MAX 80
#define SQS_URL_MAX 1024

struct sqs_address {
	char name[SQS_NAME_MAX + 1];
	char account[32]; /* "": the caller's own */
	char region[64]; /* "": not said */
	char url[SQS_URL_MAX]; /* "": not said */
	char endpoint[SQS_URL_MAX]; /* of the URL, where it is not one of AWS's usual ones; "" else */
};

/* SEAL_USAGE: it is no queue's name, URL or ARN. */
SEAL_MUST_USE enum seal_status sqs_address_parse(const char *address, struct sqs_address *out, struct seal_err *err);
/* What policies call it: the queue's name. */
struct seal_bytes sqs_topic(const char *address);

#endif

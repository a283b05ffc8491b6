/* A queue, and calls to its service. Private to src/streams/sqs. */
#ifndef STREAMS_SQS_CLIENT_H
#define STREAMS_SQS_CLIENT_H

#include <pthread.h>

#include "aws/aws.h"
#include "json/value.h"
#include "streams/aws_entry.h"
#include "streams/sqs/options.h"

#define SQS_BATCH 10
#define SQS_BYTES_MAX (1u << 20) /* of a message, and of all of a request */
#define SQS_BODY_MAX (64u << 20) /* of a request in JSON, escapes and base64 included */
#define SQS_CALL_MS 30000

/* Of one name and account. */
struct sqs_queue {
	struct sqs_queue *next;
	char name[SQS_NAME_MAX + 1];
	char url[SQS_URL_MAX];
};

/* Shared by the threads of a source or a sink. */
struct sqs_client {
	struct sqs_address address;
	struct aws_client *aws;
	char url[SQS_URL_MAX]; /* of the queue */
	size_t max_bytes; /* of a message: its MaximumMessageSize */
	bool attribute_sums; /* are compared */
	pthread_mutex_t lock; /* guards the list */
	struct sqs_queue *others; /* queues beside it */
};

/* One thread's. */
struct sqs_worker {
	struct sqs_client *client;
	struct aws_worker *aws;
	struct aws_call call;
	struct seal_buf body; /* of the request: JSON */
	struct arena arena; /* of one call */
	void *arg; /* whose client it is */
};

/* Finds credentials and the queue; `missing` is the error where there is none. */
SEAL_MUST_USE enum seal_status sqs_client_open(const char *address, const struct sqs_options *options,
					       enum seal_code missing, struct sqs_client *out, struct seal_err *err);
void sqs_client_close(struct sqs_client *client);

SEAL_MUST_USE enum seal_status sqs_worker_new(struct sqs_client *client, void *arg, struct sqs_worker **out,
					      struct seal_err *err);
void sqs_worker_free(struct sqs_worker *worker);

/* Begins the body: {"QueueUrl":URL. The caller adds ,"NAME":…; sqs_call closes it. */
SEAL_MUST_USE enum seal_status sqs_begin(struct sqs_worker *worker, const char *url, struct seal_err *err);
/* "ReceiveMessage"; *root is the answer, which lives until the next call. */
SEAL_MUST_USE enum seal_status sqs_call(struct sqs_worker *worker, const char *operation, uint64_t deadline_ms,
					struct json_value *root, struct seal_err *err);

/* The URL of the queue `name` (empty: the client's own) in the same account and region; asked once. Valid as long as the client. */
SEAL_MUST_USE enum seal_status sqs_queue_url(struct sqs_worker *worker, struct seal_bytes name, const char **url,
					     struct seal_err *err);

/* Of an answer to a batch: {"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":…,"SenderFault":…}]}. */
/* Check sums of a message that was taken, as the service says them. */
struct sqs_said {
	struct json_value body, attributes; /* MD5OfMessageBody, MD5OfMessageAttributes */
};
/* `said` of those that are good; NULL: of no interest. */
SEAL_MUST_USE enum seal_status sqs_entries(struct sqs_worker *worker, const struct json_value *root, size_t n,
					   struct aws_entry *out, struct sqs_said *said, struct seal_err *err);

#endif

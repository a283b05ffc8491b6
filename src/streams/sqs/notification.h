/* Notifications of SNS that come wrapped in a JSON object: unwrapped, with the signature checked. Private to src/streams/sqs. */
#ifndef STREAMS_SQS_NOTIFICATION_H
#define STREAMS_SQS_NOTIFICATION_H

#include <pthread.h>

#include "base/buf.h"
#include "streams/aws_message.h"

/* Certificates, by their address: fetched once, and one that cannot be had not again for a while. Thread-safe. */
struct sqs_certificate;
struct sqs_trust {
	pthread_mutex_t lock; /* guards the list */
	struct sqs_certificate *first;
	unsigned n;
	uint64_t again_ms; /* after which one that could not be had is asked for again */
	/* Gets what is at the address; tests have another. */
	enum seal_status (*fetch)(const char *url, struct seal_buf *out, struct seal_err *err);
};

void sqs_trust_init(struct sqs_trust *trust);
void sqs_trust_clear(struct sqs_trust *trust);

/* Is it an address where SNS's certificates are: https://sns.REGION.amazonaws.com[.cn]/….pem? */
bool sqs_certificate_url(struct seal_bytes url);

struct sqs_notification {
	struct seal_bytes message;
	struct aws_attribute *attributes;
	size_t n;
	int64_t timestamp_ms; /* 0: none */
};

/*
 * Is `body` a notification? Then *is, and its parts, which are views of it or in `arena`. `trust` NULL: the signature is not checked.
 * SEAL_DATA: it is one, and its signature does not hold, or it names a certificate of somebody else; SEAL_RETRY: the certificate
 * cannot be had now.
 */
SEAL_MUST_USE enum seal_status sqs_notification_read(struct sqs_trust *trust, struct seal_bytes body,
						     struct arena *arena, bool *is, struct sqs_notification *out,
						     struct seal_err *err);

#endif

/* Messages, received. Private to src/streams/sqs. */
#ifndef STREAMS_SQS_RECEIVE_H
#define STREAMS_SQS_RECEIVE_H

#include "streams/inbox.h"
#include "streams/sqs/client.h"
#include "streams/sqs/notification.h"

struct sqs_reader {
	struct sqs_client client;
	struct sqs_trust trust;
	bool verify;
	unsigned visibility_s;
};

extern const struct inbox_service sqs_inbox_service; /* its arg: struct sqs_reader */

#endif

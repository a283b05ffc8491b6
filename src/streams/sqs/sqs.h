/*
 * Amazon SQS: queues as sources and sinks. Address: a queue's name, its URL, or its ARN; the last two say the region, too.
 *
 *   sink    SendMessageBatch of up to ten messages and 1 MiB; in order by key on FIFO queues
 *   source  ReceiveMessage, long polls; visibility extended while the pump works, deleted after the output is safe
 *
 * What a record is as a message stands in streams/aws_message.h. Notifications of SNS that come wrapped are unwrapped, and their
 * signature is checked. Messages that are not committed are given back when the source closes; a queue's redrive policy is its own.
 */
#ifndef STREAMS_SQS_SQS_H
#define STREAMS_SQS_SQS_H

#include "streams/stream.h"

extern const struct source_ops sqs_source_ops;
extern const struct sink_ops sqs_sink_ops;

#endif

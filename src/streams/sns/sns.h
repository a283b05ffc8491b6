/*
 * Amazon SNS: topics as sinks. Address: a topic's ARN, which says the region, too. Reading is done from a queue that is subscribed
 * (streams/sqs), raw or wrapped.
 *
 *   sink    PublishBatch of up to ten messages and the topic's MaximumMessageSize (256 KiB as a rule); in order by key on FIFO topics
 *
 * What a record is as a message stands in streams/aws_message.h.
 */
#ifndef STREAMS_SNS_SNS_H
#define STREAMS_SNS_SNS_H

#include "streams/stream.h"

extern const struct sink_ops sns_sink_ops;

#endif

/* Answers of SNS, in XML. Private to src/streams/sns. */
#ifndef STREAMS_SNS_ANSWER_H
#define STREAMS_SNS_ANSWER_H

#include "streams/aws_entry.h"

#define SNS_BATCH 10

/* What has become of each entry of PublishBatch, by its Id ("0" … "9"). */
SEAL_MUST_USE enum seal_status sns_entries_read(struct seal_bytes answer, size_t n, struct aws_entry *out,
						struct seal_err *err);
/* Of GetTopicAttributes; *max stays where the topic does not say. */
SEAL_MUST_USE enum seal_status sns_limit_read(struct seal_bytes answer, size_t *max, struct seal_err *err);

#endif

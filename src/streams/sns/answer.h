/* Answers of SNS, in XML. Private to src/streams/sns. */
#ifndef STREAMS_SNS_ANSWER_H
#define STREAMS_SNS_ANSWER_H

#include "aws/aws.h"

#define SNS_BATCH 10

/* What has become of each entry of PublishBatch, by its Id ("0" … "9"). */
struct sns_entry {
	bool good, failed; /* neither: the answer does not say */
	enum aws_failure failure;
	char code[AWS_CODE_MAX];
};

SEAL_MUST_USE enum seal_status sns_entries_read(struct seal_bytes answer, size_t n, struct sns_entry *out,
						struct seal_err *err);
/* Of GetTopicAttributes; *max stays where the topic does not say. */
SEAL_MUST_USE enum seal_status sns_limit_read(struct seal_bytes answer, size_t *max, struct seal_err *err);

#endif

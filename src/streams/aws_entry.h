/* What SQS and SNS say of each message of a batch, and what that means for the outbox. */
#ifndef STREAMS_AWS_ENTRY_H
#define STREAMS_AWS_ENTRY_H

#include "aws/aws.h"
#include "streams/outbox.h"

struct aws_entry {
	bool good, failed; /* neither: the answer does not say */
	enum aws_failure failure;
	char code[AWS_CODE_MAX];
};

/*
 * Fills the results of all n items. err: why, of the first that can never be sent, else of the first that waits; `service` is its name for
 * messages.
 */
void aws_entries_judge(const char *service, const struct aws_entry *entries, struct outbox_item *const *items,
		       size_t n, struct seal_err *err);

#endif

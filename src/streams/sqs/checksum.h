/* Check sums of SQS, as its clients check them. Private to src/streams/sqs. */
#ifndef STREAMS_SQS_CHECKSUM_H
#define STREAMS_SQS_CHECKSUM_H

#include "base/arena.h"
#include "crypto/digest.h"
#include "json/value.h"
#include "streams/aws_message.h"

#define SQS_SUM_SIZE (2 * MD5_LEN + 1)

/* In hex; "" where libcrypto has no MD5. */
void sqs_sum_of_body(struct seal_bytes body, char out[SQS_SUM_SIZE]);
/* MD5OfMessageAttributes; "" also where there are none. */
SEAL_MUST_USE enum seal_status sqs_sum_of_attributes(const struct aws_attribute *attributes, size_t n,
						     struct arena *arena, char out[SQS_SUM_SIZE],
						     struct seal_err *err);
/* Does the service say another one? Where either side has none: no. */
bool sqs_sum_differs(const char *sum, const struct json_value *said);

#endif

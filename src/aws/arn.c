/* Names of resources: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE. */
#include "aws/aws.h"

/* Up to the next ':', which is taken, too. */
static bool part(struct seal_bytes *rest, struct seal_bytes *out)
{
	const uint8_t *colon = rest->len > 0 ? memchr(rest->ptr, ':', rest->len) : NULL;

	if (colon == NULL)
		return false;
	*out = bytes_of(rest->ptr, (size_t)(colon - rest->ptr));
	*rest = bytes_skip(*rest, out->len + 1);
	return true;
}

bool aws_arn_parse(struct seal_bytes text, struct aws_arn *out)
{
	struct seal_bytes arn, partition;

	if (!part(&text, &arn) || !bytes_eq_str(arn, "arn") || !part(&text, &partition) || partition.len == 0 ||
	    !part(&text, &out->service) || !part(&text, &out->region) || !part(&text, &out->account))
		return false;
	out->resource = text;
	return out->service.len > 0 && text.len > 0;
}

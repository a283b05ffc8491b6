/*
 * PublishBatchResponse/PublishBatchResult/Successful/member/{Id, MessageId} and Failed/member/{Id, Code, SenderFault}: an entry's parts come
 * in any order, and the end of its element says that they are all there.
 */
#include "streams/sns/answer.h"

#include "aws/xml.h"

struct reading {
	struct aws_entry *out;
	size_t n;
	uint64_t id; /* of the entry that is being read; n: none yet */
	bool sender;
	struct aws_entry entry;
};

static enum seal_status part(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	struct reading *r = arg;

	(void)err;
	if (aws_xml_ends(path, "member/Id")) {
		if (!bytes_to_u64(text, r->n - 1, &r->id))
			r->id = r->n;
	} else if (aws_xml_ends(path, "Failed/member/Code")) {
		snprintf(r->entry.code, AWS_CODE_MAX, "%.*s", BYTES_FMT(text));
	} else if (aws_xml_ends(path, "Failed/member/SenderFault")) {
		r->sender = bytes_eq_str(text, "true");
	} else if (aws_xml_ends(path, "Successful/member") || aws_xml_ends(path, "Failed/member")) {
		r->entry.good = aws_xml_ends(path, "Successful/member");
		r->entry.failed = !r->entry.good;
		r->entry.failure =
			r->entry.good ? AWS_NONE : aws_failure_of_code(bytes_str(r->entry.code), r->sender);
		if (r->id < r->n)
			r->out[r->id] = r->entry;
		memset(&r->entry, 0, sizeof(r->entry));
		r->sender = false;
		r->id = r->n;
	}
	return SEAL_OK;
}

enum seal_status sns_entries_read(struct seal_bytes answer, size_t n, struct aws_entry *out, struct seal_err *err)
{
	struct reading reading = {.out = out, .n = n, .id = n};

	memset(out, 0, n * sizeof(*out));
	return aws_xml_read(answer, part, &reading, err);
}

struct limit {
	size_t max;
	bool key; /* the last <key> was the one */
};

/* <entry><key>MaximumMessageSize</key><value>262144</value></entry> */
static enum seal_status limit_part(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	struct limit *limit = arg;
	uint64_t number;

	(void)err;
	if (aws_xml_ends(path, "entry/key"))
		limit->key = bytes_eq_str(text, "MaximumMessageSize");
	else if (aws_xml_ends(path, "entry/value") && limit->key && bytes_to_u64(text, 1u << 30, &number) &&
		 number > 0)
		limit->max = (size_t)number;
	return SEAL_OK;
}

enum seal_status sns_limit_read(struct seal_bytes answer, size_t *max, struct seal_err *err)
{
	struct limit limit = {.max = *max};
	enum seal_status rc = aws_xml_read(answer, limit_part, &limit, err);

	if (rc == SEAL_OK)
		*max = limit.max;
	return rc;
}

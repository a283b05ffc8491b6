/*
 * What the demo makes on AWS, and takes away: streams of Kinesis, queues of SQS, topics of SNS with a queue that subscribes.
 */
#include "cmd/demo.h"

#include <stdio.h>

#include "aws/aws.h"
#include "aws/fetch.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "json/value.h"

#define CALL_MS 20000
#define ACTIVE_MS 60000
#define FORM_MAX 4096

/* One call, `target` NULL: of the query protocol; the answer in `arena`. */
static enum seal_status ask_aws(const char *service, const char *target, struct seal_bytes body, struct arena *arena,
				struct seal_bytes *answer, struct seal_err *err)
{
	const struct aws_config config = {.service = service};
	struct aws_call call = {.target = target,
				.content_type = target == NULL ? "application/x-www-form-urlencoded; charset=utf-8"
						: strcmp(service, "sqs") == 0 ? "application/x-amz-json-1.0"
									      : "application/x-amz-json-1.1",
				.body = body};
	struct aws_client *client = NULL;
	struct aws_worker *worker = NULL;
	enum seal_status rc;

	SEAL_TRY(aws_client_new(&config, &client, err));
	SEAL_TRY(aws_worker_new(client, &worker, err));
	SEAL_TRY(aws_call_run(worker, &call, clock_mono_ms() + CALL_MS, err));
	answer->ptr = (const uint8_t *)arena_strndup(arena, (const char *)call.answer.ptr, call.answer.len);
	answer->len = call.answer.len;
	if (answer->ptr == NULL)
		rc = err_memory(err);
out:
	aws_call_clear(&call);
	aws_worker_free(worker);
	aws_client_free(client);
	return rc;
}

/* `member` of the answer, or of its object `inside`, as text. */
static enum seal_status text_of(struct seal_bytes answer, const char *inside, const char *member, struct arena *arena,
				const char **out, struct seal_err *err)
{
	struct json_value root, object, found;
	struct seal_bytes text;
	enum seal_status rc;

	SEAL_TRY(json_value_of(answer, &root, err));
	object = root;
	if (inside != NULL)
		json_members(&root, (const char *const[]){inside}, 1, &object);
	json_members(&object, (const char *const[]){member}, 1, &found);
	SEAL_TRY(json_value_string(&found, arena, &text, err));
	*out = arena_strndup(arena, (const char *)text.ptr, text.len);
	if (*out == NULL)
		rc = err_memory(err);
out:
	return rc;
}

/* A call with one text member; of the answer what text_of gives, unless `member` is NULL. */
static enum seal_status ask_aws_for(const char *service, const char *target, const char *name, const char *value,
				    const char *inside, const char *member, struct arena *arena, const char **out,
				    struct seal_err *err)
{
	const char *body = arena_printf(arena, "{\"%s\":\"%s\"}", name, value);
	struct seal_bytes answer = BYTES_EMPTY;
	enum seal_status rc;

	*out = "";
	if (body == NULL)
		return err_memory(err);
	SEAL_TRY(ask_aws(service, target, bytes_str(body), arena, &answer, err));
	if (member != NULL)
		rc = text_of(answer, inside, member, arena, out, err);
out:
	return rc;
}

/* ---- Kinesis ---- */

enum seal_status demo_make_kinesis(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	const uint64_t end = clock_mono_ms() + ACTIVE_MS;
	const char *body = arena_printf(arena, "{\"StreamName\":\"%s\",\"ShardCount\":1}", stream->name);
	const char *status = "";
	struct seal_bytes ignored;
	enum seal_status rc;

	if (body == NULL)
		return err_memory(err);
	SEAL_TRY(ask_aws("kinesis", "Kinesis_20131202.CreateStream", bytes_str(body), arena, &ignored, err));
	while (strcmp(status, "ACTIVE") != 0 && stop_requested() == 0) {
		if (clock_mono_ms() > end)
			return err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "the stream %s does not become active",
				       stream->name);
		SEAL_TRY(ask_aws_for("kinesis", "Kinesis_20131202.DescribeStreamSummary", "StreamName", stream->name,
				     "StreamDescriptionSummary", "StreamStatus", arena, &status, err));
		if (strcmp(status, "ACTIVE") != 0)
			nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	}
out:
	return rc;
}

enum seal_status demo_drop_kinesis(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	const char *none;

	return ask_aws_for("kinesis", "Kinesis_20131202.DeleteStream", "StreamName", stream->name, NULL, NULL, arena,
			   &none, err);
}

/* ---- SQS ---- */

static enum seal_status make_queue(const struct demo_stream *stream, struct arena *arena, const char **url,
				   struct seal_err *err)
{
	return ask_aws_for("sqs", "AmazonSQS.CreateQueue", "QueueName", stream->name, NULL, "QueueUrl", arena, url,
			   err);
}

enum seal_status demo_make_sqs(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	const char *url;

	return make_queue(stream, arena, &url, err);
}

enum seal_status demo_drop_sqs(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	const char *url, *none;
	enum seal_status rc;

	SEAL_TRY(ask_aws_for("sqs", "AmazonSQS.GetQueueUrl", "QueueName", stream->name, NULL, "QueueUrl", arena, &url,
			     err));
	rc = ask_aws_for("sqs", "AmazonSQS.DeleteQueue", "QueueUrl", url, NULL, NULL, arena, &none, err);
out:
	return rc;
}

/* ---- SNS ---- */

struct arn {
	struct arena *arena;
	const char *text;
};

static enum seal_status take_arn(void *arg, const char *path, struct seal_bytes text, struct seal_err *err)
{
	struct arn *arn = arg;

	if (!aws_xml_ends(path, "CreateTopicResult/TopicArn"))
		return SEAL_OK;
	arn->text = arena_strndup(arn->arena, (const char *)text.ptr, text.len);
	return arn->text != NULL ? SEAL_OK : err_memory(err);
}

/* `form`: names and values in turn, ended by NULL. */
static enum seal_status ask_sns(const char *action, const char *const *form, struct arena *arena,
				struct seal_bytes *answer, struct seal_err *err)
{
	struct seal_buf body = BUF_INIT(FORM_MAX);
	enum seal_status rc;

	SEAL_TRY(aws_form_add(&body, "Action", bytes_str(action), err));
	SEAL_TRY(aws_form_add(&body, "Version", BYTES_LIT("2010-03-31"), err));
	for (; form[0] != NULL; form += 2)
		SEAL_TRY(aws_form_add(&body, form[0], bytes_str(form[1]), err));
	rc = ask_aws("sns", NULL, buf_bytes(&body), arena, answer, err);
out:
	buf_clear(&body);
	return rc;
}

static enum seal_status make_topic(struct demo_stream *stream, struct arena *arena, const char **out,
				   struct seal_err *err)
{
	struct arn arn = {.arena = arena};
	struct seal_bytes answer = BYTES_EMPTY;
	enum seal_status rc;

	SEAL_TRY(ask_sns("CreateTopic", (const char *const[]){"Name", stream->name, NULL}, arena, &answer, err));
	SEAL_TRY(aws_xml_read(answer, take_arn, &arn, err));
	if (arn.text == NULL)
		return err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "sns CreateTopic gives no ARN of the topic %s",
			       stream->name);
	snprintf(stream->to, sizeof(stream->to), "sns:%s", arn.text);
	*out = arn.text;
out:
	return rc;
}

/* Its ARN. */
static enum seal_status ask_queue(const char *url, struct arena *arena, const char **out, struct seal_err *err)
{
	const char *body = arena_printf(arena, "{\"QueueUrl\":\"%s\",\"AttributeNames\":[\"QueueArn\"]}", url);
	struct seal_bytes answer = BYTES_EMPTY;
	enum seal_status rc;

	if (body == NULL)
		return err_memory(err);
	SEAL_TRY(ask_aws("sqs", "AmazonSQS.GetQueueAttributes", bytes_str(body), arena, &answer, err));
	rc = text_of(answer, "Attributes", "QueueArn", arena, out, err);
out:
	return rc;
}

/* The queue lets the topic, and nobody else, send; and gets what is sent as it is. */
static enum seal_status subscribe(const char *url, const char *topic, struct arena *arena, struct seal_err *err)
{
	const char *queue = "", *body;
	struct seal_bytes ignored;
	enum seal_status rc;

	SEAL_TRY(ask_queue(url, arena, &queue, err));
	body = arena_printf(
		arena,
		"{\"QueueUrl\":\"%s\",\"Attributes\":{\"Policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\","
		"\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":{\\\"Service\\\":"
		"\\\"sns.amazonaws.com\\\"},\\\"Action\\\":\\\"sqs:SendMessage\\\",\\\"Resource\\\":\\\"%s\\\","
		"\\\"Condition\\\":{\\\"ArnEquals\\\":{\\\"aws:SourceArn\\\":\\\"%s\\\"}}}]}\"}}",
		url, queue, topic);
	if (body == NULL)
		return err_memory(err);
	SEAL_TRY(ask_aws("sqs", "AmazonSQS.SetQueueAttributes", bytes_str(body), arena, &ignored, err));
	rc = ask_sns("Subscribe",
		     (const char *const[]){"TopicArn", topic, "Protocol", "sqs", "Endpoint", queue,
					   "ReturnSubscriptionArn", "true", "Attributes.entry.1.key",
					   "RawMessageDelivery", "Attributes.entry.1.value", "true", NULL},
		     arena, &ignored, err);
out:
	return rc;
}

enum seal_status demo_make_sns(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	struct seal_err ignored = SEAL_ERR_INIT;
	const char *url, *topic = "";
	enum seal_status rc;

	SEAL_TRY(make_queue(stream, arena, &url, err));
	rc = make_topic(stream, arena, &topic, err);
	if (rc == SEAL_OK)
		rc = subscribe(url, topic, arena, err);
	if (rc != SEAL_OK)
		(void)demo_drop_sns(stream, arena, &ignored);
out:
	return rc;
}

enum seal_status demo_drop_sns(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	const char *arn = stream->to + strlen("sns:");
	struct seal_err second = SEAL_ERR_INIT;
	struct seal_bytes ignored;
	enum seal_status rc = SEAL_OK, queue;

	if (strncmp(arn, "arn:", 4) == 0) /* it was made */
		rc = ask_sns("DeleteTopic", (const char *const[]){"TopicArn", arn, NULL}, arena, &ignored, err);
	queue = demo_drop_sqs(stream, arena, rc == SEAL_OK ? err : &second);
	return rc == SEAL_OK ? queue : rc;
}

/*
 * Calls to SQS in its JSON protocol. A queue's URL names the queue and nothing else: requests go to the endpoint that was asked for,
 * since stand-ins give URLs with hosts that nobody else can reach.
 */
#include "streams/sqs/client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "json/string.h"
#include "streams/aws_message.h"

#define CONTENT_TYPE "application/x-amz-json-1.0"
#define ARENA_KEEP (1u << 20)

enum seal_status sqs_worker_new(struct sqs_client *client, void *arg, struct sqs_worker **out, struct seal_err *err)
{
	struct sqs_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	*out = NULL;
	if (w == NULL)
		return err_memory(err);
	w->client = client;
	w->arg = arg;
	w->body.max = SQS_BODY_MAX;
	arena_init(&w->arena, ARENA_KEEP);
	rc = aws_worker_new(client->aws, &w->aws, err);
	if (rc != SEAL_OK) {
		sqs_worker_free(w);
		w = NULL;
	}
	*out = w;
	return rc;
}

void sqs_worker_free(struct sqs_worker *w)
{
	if (w == NULL)
		return;
	aws_worker_free(w->aws);
	aws_call_clear(&w->call);
	buf_clear(&w->body);
	arena_clear(&w->arena);
	mem_free(w);
}

enum seal_status sqs_begin(struct sqs_worker *w, const char *url, struct seal_err *err)
{
	enum seal_status rc;

	buf_reset(&w->body);
	arena_reset(&w->arena);
	SEAL_TRY(buf_append_str(&w->body, "{\"QueueUrl\":", err));
	SEAL_TRY(json_string_append(&w->body, bytes_str(url), err));
out:
	return rc;
}

enum seal_status sqs_call(struct sqs_worker *w, const char *operation, uint64_t deadline_ms, struct json_value *root,
			  struct seal_err *err)
{
	char target[64];
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(&w->body, '}', err));
	snprintf(target, sizeof(target), "AmazonSQS.%s", operation);
	w->call.target = target;
	w->call.content_type = CONTENT_TYPE;
	w->call.body = buf_bytes(&w->body);
	rc = aws_call_run(w->aws, &w->call, deadline_ms, err);
	w->call.target = NULL;
	if (rc != SEAL_OK)
		goto out;
	*root = (struct json_value){BYTES_LIT("{}"), JSON_OBJECT, false};
	if (w->call.answer.len == 0) /* a stand-in's way to say that there is nothing */
		goto out;
	if (json_value_of(buf_bytes(&w->call.answer), root, NULL) != SEAL_OK || root->type != JSON_OBJECT)
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "sqs %s at %s: the answer is no JSON object", operation,
			     aws_client_endpoint(w->client->aws));
out:
	return rc;
}

static enum seal_status text_member(struct sqs_worker *w, const struct json_value *object, const char *name,
				    char *out, size_t room, struct seal_err *err)
{
	const char *const names[] = {name};
	struct json_value found;
	struct seal_bytes text;
	enum seal_status rc;

	json_members(object, names, 1, &found);
	SEAL_TRY(json_value_string(&found, &w->arena, &text, err));
	out[0] = '\0';
	if (text.len < room)
		snprintf(out, room, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
out:
	return rc;
}

/* GetQueueUrl. */
static enum seal_status ask_url(struct sqs_worker *w, const char *name, char url[SQS_URL_MAX], struct seal_err *err)
{
	struct json_value root;
	enum seal_status rc;

	buf_reset(&w->body);
	arena_reset(&w->arena);
	SEAL_TRY(buf_printf(&w->body, err, "{\"QueueName\":\"%s\"", name));
	if (w->client->address.account[0] != '\0') {
		SEAL_TRY(buf_append_str(&w->body, ",\"QueueOwnerAWSAccountId\":", err));
		SEAL_TRY(json_string_append(&w->body, bytes_str(w->client->address.account), err));
	}
	rc = sqs_call(w, "GetQueueUrl", clock_mono_ms() + SQS_CALL_MS, &root, err);
	if (rc == SEAL_USAGE)
		err_prefix(err, "the queue %s", name);
	if (rc == SEAL_OK)
		rc = text_member(w, &root, "QueueUrl", url, SQS_URL_MAX, err);
	if (rc == SEAL_OK && url[0] == '\0')
		rc = err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "sqs GetQueueUrl at %s gives no URL of the queue %s",
			     aws_client_endpoint(w->client->aws), name);
out:
	return rc;
}

/* What one message may have. Who may send but not ask gets the service's own limit. */
static enum seal_status ask_limit(struct sqs_worker *w, struct seal_err *err)
{
	static const char *const names[] = {"Attributes"};
	struct json_value root, attributes;
	struct seal_err own = SEAL_ERR_INIT;
	char text[32] = "";
	uint64_t max = 0;
	enum seal_status rc;

	SEAL_TRY(sqs_begin(w, w->client->url, err));
	SEAL_TRY(buf_append_str(&w->body, ",\"AttributeNames\":[\"MaximumMessageSize\"]", err));
	w->client->max_bytes = SQS_BYTES_MAX;
	rc = sqs_call(w, "GetQueueAttributes", clock_mono_ms() + SQS_CALL_MS, &root, &own);
	if (rc == SEAL_DENIED && w->call.failure == AWS_DENIED) {
		rc = SEAL_OK;
		goto out;
	}
	if (rc != SEAL_OK) {
		if (err != NULL)
			*err = own;
		goto out;
	}
	json_members(&root, names, 1, &attributes);
	SEAL_TRY(text_member(w, &attributes, "MaximumMessageSize", text, sizeof(text), err));
	if (bytes_to_u64(bytes_str(text), SQS_BYTES_MAX, &max) && max > 0)
		w->client->max_bytes = (size_t)max;
out:
	return rc;
}

static bool is_missing(const struct sqs_worker *w)
{
	return strcmp(w->call.code, "QueueDoesNotExist") == 0 || strstr(w->call.code, "NonExistentQueue") != NULL;
}

enum seal_status sqs_client_open(const char *address, const struct sqs_options *options, enum seal_code missing,
				 struct sqs_client *out, struct seal_err *err)
{
	struct aws_config config = {.service = "sqs",
				    .region = options->region,
				    .profile = options->profile,
				    .endpoint = options->endpoint};
	struct sqs_worker *worker = NULL;
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	pthread_mutex_init(&out->lock, NULL);
	out->attribute_sums = options->checksums == SQS_CHECKSUMS_ALL;
	SEAL_TRY(sqs_address_parse(address, &out->address, err));
	if (out->address.region[0] != '\0')
		config.region = out->address.region;
	if (config.endpoint == NULL && out->address.endpoint[0] != '\0')
		config.endpoint = out->address.endpoint;
	SEAL_TRY(aws_client_new(&config, &out->aws, err));
	SEAL_TRY(sqs_worker_new(out, NULL, &worker, err));
	snprintf(out->url, sizeof(out->url), "%s", out->address.url);
	if (out->url[0] == '\0')
		SEAL_TRY(ask_url(worker, out->address.name, out->url, err));
	SEAL_TRY(ask_limit(worker, err));
out:
	if (rc != SEAL_OK && worker != NULL && err != NULL && is_missing(worker))
		err->code = missing;
	sqs_worker_free(worker);
	if (rc != SEAL_OK)
		sqs_client_close(out);
	return rc;
}

void sqs_client_close(struct sqs_client *client)
{
	struct sqs_queue *queue;

	while ((queue = client->others) != NULL) {
		client->others = queue->next;
		mem_free(queue);
	}
	aws_client_free(client->aws);
	client->aws = NULL;
	pthread_mutex_destroy(&client->lock);
}

static struct sqs_queue *find_other(struct sqs_client *client, struct seal_bytes name)
{
	struct sqs_queue *queue;

	pthread_mutex_lock(&client->lock);
	for (queue = client->others; queue != NULL && !bytes_eq_str(name, queue->name); queue = queue->next)
		;
	pthread_mutex_unlock(&client->lock);
	return queue;
}

enum seal_status sqs_queue_url(struct sqs_worker *w, struct seal_bytes name, const char **url, struct seal_err *err)
{
	struct sqs_client *client = w->client;
	struct sqs_queue *queue;
	enum seal_status rc;

	if (name.len == 0 || bytes_eq_str(name, client->address.name)) {
		*url = client->url;
		return SEAL_OK;
	}
	queue = find_other(client, name);
	if (queue != NULL) {
		*url = queue->url;
		return SEAL_OK;
	}
	if (!aws_name_is_good(name, SQS_NAME_MAX))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "\"%.*s\" cannot be the name of a queue of SQS",
			       BYTES_FMT(name));
	queue = mem_calloc(1, sizeof(*queue));
	if (queue == NULL)
		return err_memory(err);
	snprintf(queue->name, sizeof(queue->name), "%.*s", BYTES_FMT(name));
	rc = ask_url(w, queue->name, queue->url, err);
	if (rc != SEAL_OK) {
		mem_free(queue);
		return rc;
	}
	*url = queue->url;
	pthread_mutex_lock(&client->lock); /* another thread may have added it, too: then it stands there twice */
	queue->next = client->others;
	client->others = queue;
	pthread_mutex_unlock(&client->lock);
	return SEAL_OK;
}

/* The number of an entry: its Id. */
static bool id_of(struct json_value id, size_t n, size_t *out)
{
	uint64_t number;

	if (!json_value_is(&id, JSON_STRING) || !bytes_to_u64(id.text, n - 1, &number))
		return false;
	*out = (size_t)number;
	return true;
}

enum seal_status sqs_entries(struct sqs_worker *w, const struct json_value *root, size_t n, struct aws_entry *out,
			     struct sqs_said *said, struct seal_err *err)
{
	static const char *const lists[] = {"Successful", "Failed"};
	static const char *const sent[] = {"Id", "MD5OfMessageBody", "MD5OfMessageAttributes"};
	static const char *const failed[] = {"Id", "Code", "SenderFault"};
	struct json_value list[2], entry, found[3];
	struct json_items items;
	struct seal_bytes code;
	enum seal_status rc = SEAL_OK;
	size_t i;

	memset(out, 0, n * sizeof(*out));
	json_members(root, lists, 2, list);
	json_items(&list[0], &items);
	while (json_item_next(&items, &entry)) {
		json_members(&entry, sent, 3, found);
		if (id_of(found[0], n, &i)) {
			out[i].good = true;
			if (said != NULL)
				said[i] = (struct sqs_said){found[1], found[2]};
		}
	}
	json_items(&list[1], &items);
	while (json_item_next(&items, &entry)) {
		json_members(&entry, failed, 3, found);
		if (!id_of(found[0], n, &i))
			continue;
		SEAL_TRY(json_value_string(&found[1], &w->arena, &code, err));
		out[i].failed = true;
		out[i].failure = aws_failure_of_code(code, json_value_is(&found[2], JSON_TRUE));
		snprintf(out[i].code, AWS_CODE_MAX, "%.*s",
			 (int)(code.len < AWS_CODE_MAX ? code.len : AWS_CODE_MAX - 1),
			 code.len > 0 ? (const char *)code.ptr : "");
	}
out:
	return rc;
}

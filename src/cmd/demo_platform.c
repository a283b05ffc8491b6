/*
 * The demo on other platforms than Kafka: what each needs to be there, how its streams are named, made and taken away.
 *
 *   kinesis     a stream keeps what was read                             purchases, purchases_encrypted, …
 *   pubsub      a topic with a subscription for each reader              purchases → purchases-admin, purchases-reader
 *   sqs         who only looks gives back what was read                  purchases, …
 *   sns         a topic with a queue that subscribes                     purchases → purchases
 *   eventhubs   as Kafka; hubs are made by Azure, and must be there
 *
 * Names end in the time, so that nothing is touched that was there before.
 */
#include "cmd/demo.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/platform.h"
#include "google/google.h"

#define CALL_MS 20000
#define PROJECT_DEFAULT "demo"

struct demo_platform {
	const char *scheme, *title;
	const char *variables[3]; /* one of them must be set; ended by NULL */
	const char *stand_in; /* how one is started */
	bool groups; /* readers are members of groups, */
	const char *places[2]; /* and keep their places as this option and its value say; NULL: the service does */
	bool makes_readers; /* each reader has an address of its own */
	const char *reads; /* what is written there is read from a stream of this scheme; NULL: from itself */
	demo_stream_work *make, *drop;
};

/* ---- Google ---- */

static const char *project(void)
{
	const char *name = getenv("GOOGLE_CLOUD_PROJECT");

	return name != NULL && name[0] != '\0' ? name : PROJECT_DEFAULT;
}

static enum seal_status ask_google(const char *method, const char *path, const char *body, struct seal_err *err)
{
	const struct google_config config = {.endpoint = getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB"),
					     .emulator = getenv("PUBSUB_EMULATOR_HOST"),
					     .audience = "https://pubsub.googleapis.com/",
					     .scope = "https://www.googleapis.com/auth/pubsub"};
	struct google_call call = {.method = method, .path = path, .body = bytes_str(body)};
	struct google_client *client = NULL;
	struct google_worker *worker = NULL;
	enum seal_status rc;

	SEAL_TRY(google_client_new(&config, &client, err));
	SEAL_TRY(google_worker_new(client, &worker, err));
	rc = google_call_run(worker, &call, clock_mono_ms() + CALL_MS, err);
out:
	google_call_clear(&call);
	google_worker_free(worker);
	google_client_free(client);
	return rc;
}

/* The topic and its two subscriptions, in this order. */
static enum seal_status each_of_pubsub(const char *method, const struct demo_stream *stream, struct arena *arena,
				       struct seal_err *err)
{
	static const char *const suffixes[] = {"", "-admin", "-reader"};
	const bool makes = strcmp(method, "PUT") == 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const char *path = arena_printf(arena, "/v1/projects/%s/%s/%s%s", project(),
						i == 0 ? "topics" : "subscriptions", stream->name, suffixes[i]);
		const char *body = makes && i > 0 ? arena_printf(arena, "{\"topic\":\"projects/%s/topics/%s\"}",
								 project(), stream->name)
						  : arena_printf(arena, "%s", makes ? "{}" : "");

		if (path == NULL || body == NULL)
			return err_memory(err);
		SEAL_TRY(ask_google(method, path, body, err));
	}
out:
	return rc;
}

static enum seal_status make_pubsub(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	return each_of_pubsub("PUT", stream, arena, err);
}

static enum seal_status drop_pubsub(struct demo_stream *stream, struct arena *arena, struct seal_err *err)
{
	return each_of_pubsub("DELETE", stream, arena, err);
}

/* ---- which ---- */

static const struct demo_platform platforms[] = {
	{.scheme = "kinesis",
	 .title = "Amazon Kinesis",
	 .variables = {"AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL"},
	 .stand_in = "pip install 'moto[server]'; python3 -m moto.server -p 5555; then "
		     "AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION=us-east-1 "
		     "AWS_ENDPOINT_URL=http://127.0.0.1:5555 sealstream demo --platform kinesis",
	 .groups = true,
	 .places = {"--kinesis-checkpoint", "file:places"},
	 .make = demo_make_kinesis,
	 .drop = demo_drop_kinesis},
	{.scheme = "sqs",
	 .title = "Amazon SQS",
	 .variables = {"AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"},
	 .stand_in = "pip install 'moto[server]'; python3 -m moto.server -p 5555; then "
		     "AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION=us-east-1 "
		     "AWS_ENDPOINT_URL=http://127.0.0.1:5555 sealstream demo --platform sqs",
	 .make = demo_make_sqs,
	 .drop = demo_drop_sqs},
	{.scheme = "sns",
	 .title = "Amazon SNS",
	 .variables = {"AWS_ENDPOINT_URL"}, /* of SQS, too */
	 .stand_in = "pip install 'moto[server]'; python3 -m moto.server -p 5555; then "
		     "AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION=us-east-1 "
		     "AWS_ENDPOINT_URL=http://127.0.0.1:5555 sealstream demo --platform sns",
	 .reads = "sqs",
	 .make = demo_make_sns,
	 .drop = demo_drop_sns},
	{.scheme = "pubsub",
	 .title = "Google Cloud Pub/Sub",
	 .variables = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB", "PUBSUB_EMULATOR_HOST"},
	 .stand_in = "gcloud beta emulators pubsub start --project=demo --host-port=127.0.0.1:8085; then "
		     "PUBSUB_EMULATOR_HOST=127.0.0.1:8085 sealstream demo --platform pubsub",
	 .makes_readers = true,
	 .make = make_pubsub,
	 .drop = drop_pubsub},
	{.scheme = "eventhubs",
	 .title = "Azure Event Hubs",
	 .variables = {"AZURE_EVENTHUB_CONNECTION_STRING"},
	 .stand_in = "a namespace with the hubs purchases, purchases_encrypted and purchases_large_encrypted, or "
		     "Microsoft's emulator (mcr.microsoft.com/azure-messaging/eventhubs-emulator) with them in its "
		     "configuration; then AZURE_EVENTHUB_CONNECTION_STRING='Endpoint=sb://…' sealstream demo "
		     "--platform eventhubs",
	 .groups = true},
};

static const char *variable_of(const struct demo_platform *p)
{
	for (size_t i = 0; i < 3 && p->variables[i] != NULL; i++) {
		const char *value = getenv(p->variables[i]);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

#define N_PLATFORMS (sizeof(platforms) / sizeof(platforms[0]))

static enum seal_status no_platform(const char *name, struct seal_err *err)
{
	const char *names[N_PLATFORMS + 2] = {PLATFORM_KAFKA}, *nearest;
	char all[200] = PLATFORM_KAFKA;

	for (size_t i = 0; i < N_PLATFORMS; i++) {
		const size_t used = strlen(all);

		names[i + 1] = platforms[i].scheme;
		snprintf(all + used, sizeof(all) - used, "%s%s", i + 1 < N_PLATFORMS ? ", " : " or ",
			 platforms[i].scheme);
	}
	nearest = word_nearest(names, bytes_str(name));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the demo knows no platform %.40s%s%s; it is %s", name,
		       nearest ? "; did you mean " : "", nearest ? nearest : "", all);
}

/* "shop.servicebus.windows.net/" of "Endpoint=sb://shop.servicebus.windows.net/;…": what stands before a hub. Nothing else of it is shown. */
static enum seal_status namespace_of(const char *connection_string, char out[100], struct seal_err *err)
{
	const char *host = strstr(connection_string, "sb://");

	if (host == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "AZURE_EVENTHUB_CONNECTION_STRING has no Endpoint=sb://…; copy the whole of it from "
			       "the portal");
	host += strlen("sb://");
	snprintf(out, 100, "%.*s/", (int)strcspn(host, ":/;"), host);
	return SEAL_OK;
}

/* Of streams that are made: a name that nothing has yet. Those of Event Hubs are there, under the names that the demo says. */
static void name_stream(const struct demo_platform *p, const char *before, const char *time,
			struct demo_stream *stream)
{
	char name[sizeof(stream->name)];

	snprintf(name, sizeof(name), "%.80s%s%s", stream->name, time[0] != '\0' ? "-" : "", time);
	memcpy(stream->name, name, sizeof(name));
	snprintf(stream->to, sizeof(stream->to), "%s:%s%s", p->scheme, before, name);
	snprintf(stream->admin, sizeof(stream->admin), "%s:%s%s%s", p->reads != NULL ? p->reads : p->scheme, before,
		 name, p->makes_readers ? "-admin" : "");
	snprintf(stream->from, sizeof(stream->from), "%s:%s%s%s", p->reads != NULL ? p->reads : p->scheme, before,
		 name, p->makes_readers ? "-reader" : "");
}

enum seal_status demo_platform_choose(struct demo *demo, struct seal_err *err)
{
	const struct demo_platform *p = NULL;
	char before[100] = "", time[24] = "";
	const char *value;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < N_PLATFORMS; i++)
		if (strcmp(platforms[i].scheme, demo->options->platform) == 0)
			p = &platforms[i];
	if (p == NULL)
		return no_platform(demo->options->platform, err);
	value = variable_of(p);
	if (value == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "%s is not set, so that there is no %s to show it on: %s",
			       p->variables[1] != NULL ? p->variables[1] : p->variables[0], p->title, p->stand_in);
	demo->platform = p;
	demo->member[p->groups ? 2 : 0] = p->places[0];
	demo->member[3] = p->places[1];
	if (p->makes_readers)
		snprintf(before, sizeof(before), "%.80s/", project());
	else if (p->make == NULL)
		SEAL_TRY(namespace_of(value, before, err));
	if (p->make != NULL)
		snprintf(time, sizeof(time), "%lld", (long long)(clock_unix_ms() / 1000));
	name_stream(p, before, time, &demo->plain);
	name_stream(p, before, time, &demo->protected);
	name_stream(p, before, time, &demo->files);
out:
	return rc;
}

enum seal_status demo_platform_prepare(struct demo *demo, struct arena *arena, struct seal_err *err)
{
	struct demo_stream *const streams[] = {&demo->plain, &demo->protected, &demo->files};
	const struct demo_platform *p = demo->platform;
	enum seal_status rc = SEAL_OK;

	/* How long an end is waited for. */
	if (setenv("SEALSTREAM_PUBSUB_IDLE", "1s", 1) != 0 || setenv("SEALSTREAM_SQS_IDLE", "1s", 1) != 0)
		return err_memory(err);
	for (size_t i = 0; p->make != NULL && i < 3; i++) {
		SEAL_TRY(p->make(streams[i], arena, err));
		demo->made_streams++;
	}
	if (p->make != NULL)
		printf("Made %s, %s and %s on %s.\n", demo->plain.to, demo->protected.to, demo->files.to, p->title);
out:
	return rc;
}

void demo_platform_clear(struct demo *demo)
{
	struct demo_stream *const streams[] = {&demo->plain, &demo->protected, &demo->files};
	struct seal_err err = SEAL_ERR_INIT;
	struct arena arena;

	if (demo->made_streams == 0)
		return;
	if (demo->options->keep) {
		printf("%s, %s and %s stay.\n", demo->plain.to, demo->protected.to, demo->files.to);
		return;
	}
	arena_init(&arena, 0);
	for (size_t i = 0; i < demo->made_streams; i++) {
		if (demo->platform->drop(streams[i], &arena, &err) != SEAL_OK)
			log_err(LOG_WARNING, &err);
		err_clear(&err);
	}
	printf("Deleted what was made on %s.\n", demo->platform->title);
	arena_clear(&arena);
}

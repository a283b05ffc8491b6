/* Inside src/streams/pubsub: what source and sink share. */
#ifndef STREAMS_PUBSUB_WORK_H
#define STREAMS_PUBSUB_WORK_H

#include "base/buf.h"
#include "google/google.h"
#include "streams/pubsub/pubsub.h"
#include "streams/rows.h"

extern const struct stream_traits pubsub_traits;

/* Of both; the rest is the one's or the other's. */
struct pubsub_options {
	const char *endpoint, *emulator, *credentials, *ca_file;
	int64_t requests;
	int64_t memory; /* 0: the box's own */
	int headers; /* of a sink: enum row_headers */
	int64_t linger_ms;
	bool exit, look; /* of a source */
	int64_t idle_ms, ack_deadline_ms, max_record_bytes;
};

#define PUBSUB_COMMON_ROWS                                                                                           \
	{.name = "endpoint",                                                                                         \
	 .help = "the service, a regional one where order by key counts: "                                           \
		 "https://europe-west1-pubsub.googleapis.com",                                                       \
	 .arg = "URL",                                                                                               \
	 .def = "https://pubsub.googleapis.com",                                                                     \
	 .env = "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB",                                                            \
	 .type = OPT_STRING,                                                                                         \
	 .offset = offsetof(struct pubsub_options, endpoint)},                                                       \
		{.name = "emulator",                                                                                 \
		 .help = "an emulator in the service's stead, without credentials",                                  \
		 .arg = "HOST:PORT",                                                                                 \
		 .env = "PUBSUB_EMULATOR_HOST",                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(struct pubsub_options, emulator)},                                               \
		{.name = "credentials",                                                                              \
		 .help = "a service account's key or an authorized user's file; default: gcloud's own, else the "    \
			 "metadata server",                                                                          \
		 .arg = "FILE",                                                                                      \
		 .env = "GOOGLE_APPLICATION_CREDENTIALS",                                                            \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(struct pubsub_options, credentials)},                                            \
		{.name = "ca-file",                                                                                  \
		 .help = "PEM file of certificates that may sign the service's; default: the system's",              \
		 .arg = "FILE",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(struct pubsub_options, ca_file)},                                                \
		ROW_REQUESTS(struct pubsub_options), ROW_MEMORY(struct pubsub_options)

/* What stands behind the last slash: the name of the topic or the subscription. */
struct seal_bytes pubsub_topic(const char *address);

/* One stream of the service. */
struct pubsub_stream {
	struct google_client *client;
	char *name; /* "pubsub:PROJECT/NAME", for messages */
	char *project;
	struct seal_bytes short_name; /* a view of `name` */
};

/* `collection`: "topics" or "subscriptions". SEAL_USAGE: the address cannot be. */
SEAL_MUST_USE enum seal_status pubsub_stream_open(const char *address, const char *collection,
						  const struct pubsub_options *options, struct pubsub_stream *out,
						  struct seal_err *err);
void pubsub_stream_close(struct pubsub_stream *stream);
/* "/v1/projects/P/COLLECTION/NAME:VERB" and a zero byte, appended. */
SEAL_MUST_USE enum seal_status pubsub_path(const struct pubsub_stream *stream, const char *collection,
					   struct seal_bytes name, const char *verb, struct seal_buf *out,
					   struct seal_err *err);
/* A topic or subscription may have that name. */
bool pubsub_is_name(struct seal_bytes name);

#endif

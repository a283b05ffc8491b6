/*
 * Azure Event Hubs: what an address names, who logs in, and a sink that sends over HTTPS. Reading, and writing where port 9093 is
 * open, is Kafka's protocol: eventhubs_client_settings says what a Kafka client needs, and cmd brings the two together, since streams
 * do not see each other.
 *
 *   NAMESPACE/HUB      NAMESPACE.servicebus.windows.net, or a whole host name where NAMESPACE has a dot (other clouds)
 *
 * Who logs in: a connection string (--eventhubs-connection-string-file, else AZURE_EVENTHUB_CONNECTION_STRING), else an application
 * of Entra ID (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET; AZURE_AUTHORITY_HOST).
 */
#ifndef STREAMS_EVENTHUBS_EVENTHUBS_H
#define STREAMS_EVENTHUBS_EVENTHUBS_H

#include "base/secret.h"
#include "streams/stream.h"

#define EVENTHUBS_EVENT_BYTES 1046528 /* the service ends the connection on more, but on dedicated clusters */

struct eventhubs_settings {
	const char *connection_string_file; /* NULL: the environment's */
	const char *endpoint; /* HOST:PORT instead of the namespace's own; NULL: none */
	const char *ca_file; /* PEM; NULL: the system's */
	int64_t event_bytes; /* of the longest event */
};

/* Strings are of `arena`, the environment or a secret; NULL: not given. */
struct eventhubs_access {
	const char *host; /* of the namespace: "shop.servicebus.windows.net" */
	const char *endpoint; /* HOST:PORT to connect to instead; or NULL */
	const char *ca_file;
	const char *hub;
	int64_t event_bytes;
	bool emulator; /* Microsoft's, which has no TLS; on this machine */
	struct secret connection_string; /* text */
	const char *key_name;
	const char *key; /* of that name, as text */
	const char *signature; /* made by somebody else: "SharedAccessSignature sr=…" */
	const char *tenant, *client_id, *client_secret, *authority;
	struct arena arena; /* wiped */
};

/* The hub's name: behind the last slash. */
struct seal_bytes eventhubs_topic(const char *address);

/*
 * Takes the address, the connection string and the environment apart, and checks that they fit. SEAL_USAGE; SEAL_DENIED without a
 * login, naming what was looked at. `out` is cleared by the caller whatever happens.
 */
SEAL_MUST_USE enum seal_status eventhubs_access_open(const char *address, const struct eventhubs_settings *settings,
						     struct eventhubs_access *out, struct seal_err *err);
void eventhubs_access_clear(struct eventhubs_access *access);

/* Settings of a Kafka client by librdkafka's names; views of `access`. */
enum eventhubs_role { EVENTHUBS_ANY, EVENTHUBS_READER, EVENTHUBS_WRITER };

struct eventhubs_client_setting {
	const char *name, *value;
	enum eventhubs_role role;
};

#define EVENTHUBS_CLIENT_SETTINGS_MAX 20
#define EVENTHUBS_COMMIT_MS 1000 /* more than four commits a second and partition are held up */

/* Ended by a row without name. SEAL_USAGE: what is given cannot log in over Kafka's protocol. */
SEAL_MUST_USE enum seal_status
eventhubs_client_settings(struct eventhubs_access *access,
			  struct eventhubs_client_setting out[EVENTHUBS_CLIENT_SETTINGS_MAX], struct seal_err *err);

struct eventhubs_https_options {
	bool drop_headers;
	int64_t memory_bytes; /* of what is not yet acknowledged; 0: the outbox's own */
};

/*
 * A sink over HTTPS. Key: PartitionKey, as text of up to 128 characters, else the hex SHA-256 of it and, in base64, the property
 * seal.key. Headers: properties. Values that are no text go alone, as they are.
 */
SEAL_MUST_USE enum seal_status eventhubs_https_open(const char *address, const struct eventhubs_settings *settings,
						    const struct eventhubs_https_options *options, struct sink **out,
						    struct seal_err *err);

#endif

/*
 * What a Kafka client needs for Event Hubs: Microsoft's own recommendations for librdkafka, and the login.
 *
 * The service ends connections that idle for four minutes, holds requests for up to 20 s before it says no, ends a connection on a
 * longer message than it takes, and knows no compression but, in some tiers, gzip.
 */
#include "streams/eventhubs/eventhubs.h"

struct rows {
	struct eventhubs_client_setting *at, *end;
};

static void add(struct rows *rows, enum eventhubs_role role, const char *name, const char *value)
{
	SEAL_INVARIANT(rows->at < rows->end);
	*rows->at++ = (struct eventhubs_client_setting){name, value, role};
}

/* RFC 6749, section 4.4, at Entra ID. */
static enum seal_status add_application(struct rows *rows, struct eventhubs_access *a, struct seal_err *err)
{
	const size_t slash = strlen(a->authority) > 0 && a->authority[strlen(a->authority) - 1] == '/';
	const char *url = arena_printf(&a->arena, "%.*s/%s/oauth2/v2.0/token", (int)(strlen(a->authority) - slash),
				       a->authority, a->tenant);
	const char *scope = arena_printf(&a->arena, "https://%s/.default", a->host);

	if (url == NULL || scope == NULL)
		return err_memory(err);
	add(rows, EVENTHUBS_ANY, "sasl.mechanism", "OAUTHBEARER");
	add(rows, EVENTHUBS_ANY, "sasl.oauthbearer.method", "oidc");
	add(rows, EVENTHUBS_ANY, "sasl.oauthbearer.token.endpoint.url", url);
	add(rows, EVENTHUBS_ANY, "sasl.oauthbearer.scope", scope);
	add(rows, EVENTHUBS_ANY, "sasl.oauthbearer.client.id", a->client_id);
	add(rows, EVENTHUBS_ANY, "sasl.oauthbearer.client.secret", a->client_secret);
	return SEAL_OK;
}

static enum seal_status add_login(struct rows *rows, struct eventhubs_access *a, struct seal_err *err)
{
	if (a->tenant != NULL)
		return add_application(rows, a, err);
	if (a->key == NULL) {
		err_place(err, "eventhubs:%s/%s", a->host, a->hub);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "Kafka's protocol takes no SharedAccessSignature; give a connection string with "
			       "SharedAccessKey, or send with --eventhubs-protocol https");
	}
	add(rows, EVENTHUBS_ANY, "sasl.mechanism", "PLAIN");
	add(rows, EVENTHUBS_ANY, "sasl.username", "$ConnectionString");
	add(rows, EVENTHUBS_ANY, "sasl.password", (const char *)a->connection_string.ptr);
	return SEAL_OK;
}

enum seal_status eventhubs_client_settings(struct eventhubs_access *access,
					   struct eventhubs_client_setting out[EVENTHUBS_CLIENT_SETTINGS_MAX],
					   struct seal_err *err)
{
	struct rows rows = {out, out + EVENTHUBS_CLIENT_SETTINGS_MAX};
	const char *brokers = access->endpoint, *longest;
	enum seal_status rc = SEAL_OK;

	if (brokers == NULL)
		brokers = arena_printf(&access->arena, "%s:9093", access->host);
	longest = arena_printf(&access->arena, "%lld", (long long)access->event_bytes);
	if (brokers == NULL || longest == NULL)
		return err_memory(err);
	add(&rows, EVENTHUBS_ANY, "bootstrap.servers", brokers);
	add(&rows, EVENTHUBS_ANY, "security.protocol", access->emulator ? "SASL_PLAINTEXT" : "SASL_SSL");
	if (access->ca_file != NULL)
		add(&rows, EVENTHUBS_ANY, "ssl.ca.location", access->ca_file);
	SEAL_TRY(add_login(&rows, access, err));
	add(&rows, EVENTHUBS_ANY, "socket.keepalive.enable", "true");
	add(&rows, EVENTHUBS_ANY, "metadata.max.age.ms", "180000");
	add(&rows, EVENTHUBS_READER, "session.timeout.ms", "30000");
	add(&rows, EVENTHUBS_WRITER, "request.timeout.ms", "60000");
	add(&rows, EVENTHUBS_WRITER, "compression.type", "none");
	add(&rows, EVENTHUBS_WRITER, "message.max.bytes", longest);
	add(&rows, EVENTHUBS_ANY, NULL, NULL);
out:
	return rc;
}

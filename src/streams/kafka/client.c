/*
 * Making a librdkafka handle: settings in, callbacks on, and every failure told with the broker that caused it.
 *
 * librdkafka reports trouble in three ways, which meet in `struct kafka_client`: error_cb (brokers, login, TLS), codes on
 * messages and calls, and log lines. Log lines go to our log at debug level; error_cb's become `cause`, the second half of
 * every message. None of them ever holds a payload; settings are never shown with their values.
 */
#include "streams/kafka/client.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "streams/kafka/newer.h"
#include "streams/kafka/oauth_keeper.h"

#define WARN_EVERY_MS 10000
#define ASK_MS 500
#define CUT_LOGINS 3
#define MISSING_MS 1500 /* a topic made just now may take so long to be known */
#define LINE_MAX 900

/* ---- settings ---- */

/* The names of one line of librdkafka's property table: "name | C/P | …". */
static bool take_table_name(struct arena *arena, const char *line, const char **out)
{
	const char *end = strchr(line, '|');
	size_t len = 0;

	while (end != NULL && line + len < end && line[len] != ' ')
		len++;
	*out = len > 0 && line[0] >= 'a' && line[0] <= 'z' ? arena_strndup(arena, line, len) : NULL;
	return *out != NULL;
}

/* The running library's property name that is nearest to `name`, in `arena`; or NULL. */
static const char *nearest_property(struct arena *arena, const char *name)
{
	const char *words[512], *near;
	char *table = NULL, *line, *next;
	size_t size = 0, n = 0;
	FILE *file = open_memstream(&table, &size);

	if (file == NULL)
		return NULL;
	rd_kafka_conf_properties_show(file);
	fclose(file);
	for (line = table; line != NULL && n < sizeof(words) / sizeof(words[0]) - 1; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (take_table_name(arena, line, &words[n]))
			n++;
	}
	words[n] = NULL;
	near = word_nearest(words, bytes_str(name));
	free(table); /* open_memstream's own */
	return near;
}

static enum seal_status unknown_property(struct kafka_property *property, struct seal_err *err)
{
	struct arena arena;
	const char *near;

	if (newer_property(property->name)) {
		if (!property->warned)
			log_say(LOG_WARNING, "%s is for a newer librdkafka than %s and has no effect", property->name,
				rd_kafka_version_str());
		property->warned = true;
		return SEAL_OK;
	}
	arena_init(&arena, 0);
	near = nearest_property(&arena, property->name);
	kafka_property_place(property, err);
	(void)err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "librdkafka has no property %.100s%s%s%s", property->name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	arena_clear(&arena);
	return SEAL_USAGE;
}

struct apply {
	rd_kafka_conf_t *conf;
	const struct kafka_setting *fixed;
	bool own_oauth; /* OAUTHBEARER's settings are ours, not librdkafka's */
};

static const struct kafka_setting *find_setting(const struct kafka_setting *rows, const char *name)
{
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

/* Says once that a setting of the user's is not used. True when it is one of ours. */
static bool is_fixed(const struct kafka_setting *fixed, struct kafka_property *property)
{
	const struct kafka_setting *row = find_setting(fixed, property->name);

	if (row == NULL)
		return false;
	if (!property->warned && row->value == NULL)
		log_say(LOG_WARNING, "%s has no effect here", property->name);
	else if (!property->warned && strcmp(row->value, property->value) != 0)
		log_say(LOG_WARNING, "%s is set by sealstream itself, to %s", property->name, row->value);
	property->warned = true;
	return true;
}

static enum seal_status apply_one(void *arg, struct kafka_property *property, struct seal_err *err)
{
	struct apply *apply = arg;
	char why[300];

	if (is_fixed(apply->fixed, property) || (apply->own_oauth && oauth_is_own(property->name)))
		return SEAL_OK;
	switch (rd_kafka_conf_set(apply->conf, property->name, property->value, why, sizeof(why))) {
	case RD_KAFKA_CONF_OK:
		return SEAL_OK;
	case RD_KAFKA_CONF_UNKNOWN:
		return unknown_property(property, err);
	case RD_KAFKA_CONF_INVALID:
		break;
	}
	kafka_property_place(property, err);
	return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s: %s", property->name,
		       kafka_property_is_secret(property->name) ? "not a valid value" : why);
}

static void apply_rows(rd_kafka_conf_t *conf, const struct kafka_setting *rows)
{
	char why[200];

	for (; rows->name != NULL; rows++)
		SEAL_INVARIANT(rd_kafka_conf_set(conf, rows->name, rows->value, why, sizeof(why)) ==
			       RD_KAFKA_CONF_OK);
}

static void apply_numbers(rd_kafka_conf_t *conf, const struct kafka_number *rows)
{
	char value[24], why[200];

	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->value == 0)
			continue;
		snprintf(value, sizeof(value), "%lld", (long long)rows->value);
		SEAL_INVARIANT(rd_kafka_conf_set(conf, rows->name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK);
	}
}

/* ---- what librdkafka tells ---- */

static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	/* A shared file has settings of both roles; that the other role's have no effect is as it should be. */
	if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "will be ignored by this") != NULL)
		return;
	log_say(level <= 2 || strcmp(facility, "CONFWARN") == 0 ? LOG_WARNING : LOG_DEBUG, "librdkafka: %s: %.*s",
		facility, LINE_MAX, text);
}

static bool is_refusal(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
	       code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
	       code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

/*
 * The broker has looked at our certificate, or at that there is none, and ended the handshake (RFC 8446, section 6.2: 42 to 46, 48
 * and 116). librdkafka takes it for a broken connection.
 */
static bool is_certificate_alert(const char *reason)
{
	static const char words[] = "SSL alert number ";
	const char *at = strstr(reason, words);
	int number = at != NULL ? (int)strtol(at + sizeof(words) - 1, NULL, 10) : 0;

	return (number >= 42 && number <= 46) || number == 48 || number == 116;
}

/* The connection ended while it logged in. librdkafka takes that for a refusal, or for a broken connection. */
static bool is_cut_login(const char *reason)
{
	return strstr(reason, "SaslAuthenticateRequest failed: Local: ") != NULL ||
	       (strstr(reason, "Disconnected") != NULL && strstr(reason, "in state AUTH") != NULL);
}

/*
 * Is that an answer? Some services refuse a password by closing the connection. A broker that stops does so once, not three times in a
 * row, and one that took the password before has another reason.
 */
static bool is_refused_login(struct kafka_client *client, int code, const char *reason)
{
	if (is_cut_login(reason) && (client->started || !client->sasl || ++client->cut_logins < CUT_LOGINS))
		return false;
	return (is_cut_login(reason) || is_refusal((rd_kafka_resp_err_t)code)) &&
	       oauth_keeper_refused(client->keeper);
}

/* Brokers end connections that idle. Where more is wrong, the attempt to connect anew tells. */
static bool is_plain_end(const char *cause)
{
	return strstr(cause, ": Disconnected (after ") != NULL && strstr(cause, "in state UP") != NULL;
}

static void warn_away(struct kafka_client *client)
{
	uint64_t now = clock_mono_ms();

	if (!client->started || is_plain_end(client->cause) ||
	    (client->warned_ms != 0 && now - client->warned_ms < WARN_EVERY_MS))
		return;
	client->warned_ms = now;
	log_say(LOG_WARNING, "kafka %s: %s; trying again", client->role_name, client->cause);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka_client *client = opaque;

	pthread_mutex_lock(&client->lock);
	client->errors++;
	/* "2/2 brokers are down" says less than the failure before it. */
	if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || client->cause[0] == '\0')
		snprintf(client->cause, sizeof(client->cause), "%s", reason);
	if (code == RD_KAFKA_RESP_ERR__TRANSPORT && is_certificate_alert(reason))
		client->denied = RD_KAFKA_RESP_ERR__SSL;
	if (is_refused_login(client, code, reason))
		client->denied = is_refusal((rd_kafka_resp_err_t)code) ? (rd_kafka_resp_err_t)code
								       : RD_KAFKA_RESP_ERR__AUTHENTICATION;
	if (code == RD_KAFKA_RESP_ERR__FATAL)
		client->fatal = rd_kafka_fatal_error(rk, client->cause, sizeof(client->cause));
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		client->away = true;
	warn_away(client);
	pthread_mutex_unlock(&client->lock);
}

void kafka_client_alive(struct kafka_client *client)
{
	if (!client->away)
		return;
	pthread_mutex_lock(&client->lock);
	client->away = false;
	client->warned_ms = 0;
	pthread_mutex_unlock(&client->lock);
}

bool kafka_client_away(struct kafka_client *client)
{
	bool away;

	pthread_mutex_lock(&client->lock);
	away = client->away;
	pthread_mutex_unlock(&client->lock);
	return away;
}

/* ---- errors ---- */

struct meaning {
	rd_kafka_resp_err_t code;
	enum seal_status status;
	enum seal_code seal_code;
	const char *remedy;
};

static const struct meaning meanings[] = {
	{RD_KAFKA_RESP_ERR__TRANSPORT, SEAL_RETRY, SEAL_E_SERVICE, "check the address and that the broker runs"},
	{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, SEAL_RETRY, SEAL_E_SERVICE,
	 "check the address and that the broker runs"},
	{RD_KAFKA_RESP_ERR__TIMED_OUT, SEAL_RETRY, SEAL_E_SERVICE, "check the address and that the broker runs"},
	{RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, SEAL_RETRY, SEAL_E_SERVICE, /* before it could be sent */
	 "check the address and that the broker runs"},
	{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, SEAL_FATAL, SEAL_E_SERVICE,
	 "nothing past it was committed; start again later"},
	{RD_KAFKA_RESP_ERR__RESOLVE, SEAL_RETRY, SEAL_E_SERVICE, "check the host's name"},
	{RD_KAFKA_RESP_ERR__AUTHENTICATION, SEAL_DENIED, SEAL_E_DENIED, "check user, password and sasl.mechanism"},
	{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, SEAL_DENIED, SEAL_E_DENIED,
	 "check user, password and sasl.mechanism"},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, SEAL_DENIED, SEAL_E_DENIED,
	 "ask which sasl.mechanism it takes"},
	{RD_KAFKA_RESP_ERR__SSL, SEAL_DENIED, SEAL_E_DENIED,
	 "check ssl.ca.location, ssl.certificate.location and security.protocol"},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SEAL_DENIED, SEAL_E_DENIED,
	 "the user needs an ACL on the topic (Read and Describe, or Write and Describe)"},
	{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, SEAL_DENIED, SEAL_E_DENIED,
	 "the user needs Read on the consumer group"},
	{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, SEAL_DENIED, SEAL_E_DENIED,
	 "the user needs Write and Describe on transactional ids that begin with the group's name, or "
	 "--delivery at-least-once"},
	{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, SEAL_DENIED, SEAL_E_DENIED,
	 "the user needs an ACL: Write on the topic, or IdempotentWrite on the cluster"},
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, SEAL_USAGE, SEAL_E_NO_INPUT, "create it, or check its name"},
	{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, SEAL_USAGE, SEAL_E_NO_INPUT, "create it, or check its name"},
	{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, SEAL_USAGE, SEAL_E_USAGE, "check the topic's name"},
	{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, SEAL_USAGE, SEAL_E_CONFIG,
	 "give it as many partitions as the source has, or leave out --keep-partition"},
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SEAL_DATA, SEAL_E_LIMIT,
	 "raise max.message.bytes of the topic and -X message.max.bytes"},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, SEAL_DATA, SEAL_E_TYPE,
	 "the topic does not take such a record; a compacted one wants keys"},
	{RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, SEAL_DATA, SEAL_E_LIMIT,
	 "its timestamp is outside message.timestamp.before.max.ms or after.max.ms of the topic"},
	{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, SEAL_DENIED, SEAL_E_DENIED,
	 "ask the cluster's owner which rule it breaks"},
	{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, SEAL_DATA, SEAL_E_LIMIT, "raise segment.bytes of the topic"},
	{RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, SEAL_RETRY, SEAL_E_TIMEOUT, "raise -X max.poll.interval.ms"},
	{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, SEAL_USAGE, SEAL_E_CONFIG,
	 "set -X auto.offset.reset=earliest or latest"},
	{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, SEAL_USAGE, SEAL_E_CONFIG, "choose another -o"},
	{RD_KAFKA_RESP_ERR__FENCED, SEAL_FATAL, SEAL_E_SERVICE,
	 "another process has taken over, or this one was away for longer than transaction.timeout.ms; start again"},
	{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, SEAL_FATAL, SEAL_E_SERVICE,
	 "another process of the same --member has taken this one's place; give each its own name"},
	{RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, SEAL_USAGE, SEAL_E_CONFIG,
	 "lower -X transaction.timeout.ms, or raise transaction.max.timeout.ms of the brokers"},
};

/* What passes by itself while brokers move leaders and coordinators about, or start. librdkafka goes on trying. */
static bool passes(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_UNKNOWN: /* -1: "unexpected server error"; a broker that starts or stops says so to a Fetch */
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
	case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
	case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT: /* of a partition's last owner */
	case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
	case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
	case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
	case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
	case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR__WAIT_COORD:
		return true;
	default:
		return false;
	}
}

static const struct meaning *meaning_of(rd_kafka_resp_err_t code)
{
	static const struct meaning passing = {0, SEAL_RETRY, SEAL_E_SERVICE,
					       "it passes when the brokers have settled"};
	static const struct meaning other = {0, SEAL_FATAL, SEAL_E_SERVICE, "start again later"};

	if (passes(code))
		return &passing;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == code)
			return &meanings[i];
	return &other;
}

/* "Fatal error" only says that there is another one to look at. */
static rd_kafka_resp_err_t real_code(const struct kafka_client *client, rd_kafka_resp_err_t code)
{
	char text[16];
	rd_kafka_resp_err_t fatal = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (code == RD_KAFKA_RESP_ERR__FATAL && client->rk != NULL)
		fatal = rd_kafka_fatal_error(client->rk, text, sizeof(text));
	return fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? fatal : code;
}

enum seal_status kafka_client_error(struct kafka_client *client, rd_kafka_resp_err_t told, const char *topic,
				    struct seal_err *err)
{
	const rd_kafka_resp_err_t code = real_code(client, told);
	const struct meaning *m = meaning_of(code);
	struct seal_err token = SEAL_ERR_INIT;
	enum seal_status token_status;
	const char *remedy = m->remedy;
	char cause[320] = "";

	if (topic != NULL)
		err_place(err, "topic %s at %s", topic, client->brokers);
	else
		err_place(err, "kafka at %s", client->brokers);
	/* No broker answers a client that has nothing to log in with. */
	if (m->seal_code == SEAL_E_SERVICE && (token_status = oauth_keeper_state(client->keeper, &token)) != SEAL_OK)
		return err_set(err, token_status == SEAL_RETRY ? m->status : token_status, token.code, "%s",
			       token.text);
	pthread_mutex_lock(&client->lock);
	if (m->seal_code == SEAL_E_SERVICE || is_refusal(code))
		snprintf(cause, sizeof(cause), "%.250s", client->cause);
	pthread_mutex_unlock(&client->lock);
	if (client->oauth && is_refusal(code) && code != RD_KAFKA_RESP_ERR__SSL)
		remedy = "check that the broker trusts the token server, and the scope and audience that it wants";
	if (client->scram && (code == RD_KAFKA_RESP_ERR__AUTHENTICATION))
		remedy = "librdkafka before 2.6.1 cannot log in to Kafka 4 with SCRAM: use a newer one, or PLAIN "
			 "over TLS; "
			 "else check user and password";
	return err_set(err, m->status, m->seal_code, "%s%s%s; %s", rd_kafka_err2str(code), cause[0] ? ": " : "",
		       cause, remedy);
}

enum seal_status kafka_client_health(struct kafka_client *client, struct seal_err *err)
{
	struct seal_err token = SEAL_ERR_INIT;
	rd_kafka_resp_err_t code;
	enum seal_status rc;

	pthread_mutex_lock(&client->lock);
	code = client->fatal ? client->fatal : client->denied;
	pthread_mutex_unlock(&client->lock);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(client, code, NULL, err);
	if (client->keeper == NULL)
		return SEAL_OK;
	/* Asked once: a second answer may be another one, and RETRY is none of this. */
	rc = oauth_keeper_state(client->keeper, &token);
	if (rc == SEAL_OK || rc == SEAL_RETRY)
		return SEAL_OK;
	if (err != NULL && err->status == SEAL_OK)
		*err = token;
	return rc;
}

/* ---- open ---- */

void kafka_client_init(struct kafka_client *client)
{
	*client = (struct kafka_client){0};
	pthread_mutex_init(&client->lock, NULL);
}

/* What has been told of settings, which source and sink may share; both can make another handle at any time. */
static pthread_mutex_t settings = PTHREAD_MUTEX_INITIALIZER;

/* Under `settings`: what is known before the handle is made. *fetches: this librdkafka has a client for token servers. */
static void note_settings(struct kafka_client *client, const struct kafka_client_setup *setup, bool *fetches)
{
	static bool told;
	const char *brokers = kafka_config_get(setup->config, setup->role, "bootstrap.servers");
	const char *mechanism = kafka_config_get(setup->config, setup->role, "sasl.mechanism");
	struct kafka_facts facts;

	if (brokers == NULL)
		brokers = kafka_config_get(setup->config, setup->role, "metadata.broker.list");
	if (mechanism == NULL)
		mechanism = kafka_config_get(setup->config, setup->role, "sasl.mechanisms");
	snprintf(client->brokers, sizeof(client->brokers), "%s", brokers ? brokers : "");
	kafka_facts_get(&facts);
	*fetches = strstr(facts.features, "oidc") != NULL;
	client->oauth = oauth_mechanism(setup->config, setup->role);
	client->sasl = mechanism != NULL;
	client->scram = mechanism && strncmp(mechanism, "SCRAM", 5) == 0 && facts.scram_warning;
	if (client->scram && !told)
		log_say(LOG_WARNING, "%s", facts.scram_warning);
	told = told || client->scram;
}

enum seal_status kafka_client_open(struct kafka_client *client, const struct kafka_client_setup *setup,
				   struct seal_err *err)
{
	struct apply apply = {.conf = rd_kafka_conf_new(), .fixed = setup->fixed};
	struct oauth *oauth = NULL;
	bool fetches;
	char why[400] = "";
	enum seal_status rc = SEAL_OK;

	SEAL_INVARIANT((void *)client == setup->owner);
	client->role_name = setup->role == KAFKA_PRODUCER ? "producer" : "consumer";
	pthread_mutex_lock(&settings);
	note_settings(client, setup, &fetches);
	pthread_mutex_unlock(&settings);
	SEAL_TRY(oauth_new(setup->config, setup->role, fetches, &oauth, err));
	apply.own_oauth = oauth != NULL || !fetches;
	apply_rows(apply.conf, setup->defaults);
	if (setup->more != NULL)
		apply_rows(apply.conf, setup->more);
	apply_numbers(apply.conf, setup->numbers);
	pthread_mutex_lock(&settings);
	rc = kafka_config_each(setup->config, setup->role, apply_one, &apply, err);
	pthread_mutex_unlock(&settings);
	if (rc != SEAL_OK)
		goto out;
	apply_rows(apply.conf, setup->fixed);
	rd_kafka_conf_set_opaque(apply.conf, setup->owner);
	rd_kafka_conf_set_log_cb(apply.conf, log_line);
	rd_kafka_conf_set_error_cb(apply.conf, on_error);
	if (oauth != NULL)
		oauth_keeper_conf(apply.conf);
	if (setup->callbacks != NULL)
		setup->callbacks(apply.conf, setup->owner);
	client->denied = client->fatal = RD_KAFKA_RESP_ERR_NO_ERROR;
	client->rk = rd_kafka_new(setup->role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, apply.conf,
				  why, sizeof(why));
	if (client->rk == NULL) {
		err_place(err, "kafka %s", client->role_name);
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
		goto out;
	}
	apply.conf = NULL; /* is rk's now */
	if (oauth != NULL)
		rc = oauth_keeper_start(client->rk, oauth, client->role_name, &client->keeper, err);
	oauth = NULL;
out:
	oauth_free(oauth);
	if (apply.conf != NULL)
		rd_kafka_conf_destroy(apply.conf);
	return rc;
}

void kafka_client_quiet(struct kafka_client *client)
{
	oauth_keeper_stop(client->keeper);
	client->keeper = NULL;
}

void kafka_client_close(struct kafka_client *client, int flags)
{
	kafka_client_quiet(client);
	if (client->rk != NULL)
		rd_kafka_destroy_flags(client->rk, flags);
	client->rk = NULL;
}

void kafka_client_clear(struct kafka_client *client)
{
	pthread_mutex_destroy(&client->lock);
}

/* ---- topics ---- */

/* One question. *code: what the brokers say on the topic, or that none answers. */
static void ask(struct kafka_client *client, rd_kafka_topic_t *topic, int timeout_ms, rd_kafka_resp_err_t *code,
		int32_t *partitions)
{
	const struct rd_kafka_metadata *data;

	*code = rd_kafka_metadata(client->rk, 0, topic, &data, timeout_ms);
	if (*code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	*code = data->topic_cnt == 1 ? data->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	*partitions = *code ? 0 : data->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(data);
}

static bool is_final(rd_kafka_resp_err_t code, uint64_t asked_ms)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		return asked_ms >= MISSING_MS;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		return false;
	default:
		return true;
	}
}

enum seal_status kafka_client_find_topic(struct kafka_client *client, const char *topic, int timeout_ms,
					 int32_t *partitions, struct seal_err *err)
{
	uint64_t start = clock_mono_ms(), spent = 0;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client->rk, topic, NULL);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TRANSPORT;
	enum seal_status rc = SEAL_OK;

	*partitions = 0;
	if (handle == NULL)
		return kafka_client_error(client, rd_kafka_last_error(), topic, err);
	while (spent < (uint64_t)timeout_ms) {
		uint64_t left = (uint64_t)timeout_ms - spent;

		ask(client, handle, left < ASK_MS ? (int)left : ASK_MS, &code, partitions);
		rd_kafka_poll(client->rk, *partitions > 0 ? 0 : 50); /* error_cb */
		SEAL_TRY(kafka_client_health(client, err));
		spent = clock_mono_ms() - start;
		if (*partitions > 0 || is_final(code, spent))
			break;
	}
	if (*partitions <= 0)
		rc = kafka_client_error(client, code ? code : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, topic, err);
out:
	rd_kafka_topic_destroy(handle);
	client->started = rc == SEAL_OK;
	return rc;
}

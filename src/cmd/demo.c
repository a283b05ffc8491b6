/*
 * `demo`: a directory that goes away, a broker (embedded, or yours), and the stories in it.
 *
 * The commands of the stories find directory, keyring, policy and broker in the environment, so that what is shown is what
 * a user would type. Whatever happens, the directory is removed at the end, and so are topics that the demo has made.
 */
#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/platform.h"

#define AT(member) .offset = offsetof(struct demo_options, member)

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct demo_options, connection),
	{.name = "suffix",
	 .help = "added to the names of the topics, and of the keys on a server",
	 .arg = "TEXT",
	 .type = OPT_STRING,
	 AT(suffix)},
	{.name = "platform",
	 .help = "tell the stories on this platform (kinesis, sqs, sns, pubsub, eventhubs), at the endpoint that its "
		 "own "
		 "variables name",
	 .arg = "NAME",
	 .def = "kafka",
	 .type = OPT_STRING,
	 AT(platform)},
	{.name = "vault",
	 .help = "keep the keys of addresses and files in the Vault or OpenBao server that the options and variables "
		 "for it name",
	 .type = OPT_FLAG,
	 AT(vault)},
	{.name = "keep",
	 .help = "leave the topics on a real cluster and the keys on a server; local keys are gone all the same",
	 .type = OPT_FLAG,
	 AT(keep)},
	OPT_END};

struct place {
	char directory[PATH_MAX];
	int home; /* the directory to go back to, or -1 */
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static enum seal_status place_enter(struct place *place, struct seal_err *err)
{
	const char *base = getenv("TMPDIR");

	snprintf(place->directory, sizeof(place->directory), "%s/sealstream-demo-XXXXXX",
		 base && base[0] == '/' ? base : "/tmp");
	place->home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdtemp(place->directory) == NULL) {
		(void)err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot create %s", place->directory);
		place->directory[0] = '\0';
		return SEAL_FATAL;
	}
	if (chdir(place->directory) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot enter %s", place->directory);
	return SEAL_OK;
}

static void place_leave(struct place *place)
{
	if (place->home >= 0) {
		if (fchdir(place->home) != 0)
			log_say(LOG_DEBUG, "cannot go back to where the demo was started");
		close(place->home);
	}
	if (place->directory[0] != '\0' && nftw(place->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		log_say(LOG_WARNING, "%s could not be removed", place->directory);
}

/* How to reach a key server, or the platform. */
static bool is_kept(const char *name, const char *platform)
{
	static const char prefix[] = "SEALSTREAM_", vault[] = "SEALSTREAM_VAULT_";
	const size_t len = strlen(platform);

	return strncmp(name, vault, sizeof(vault) - 1) == 0 ||
	       (strncasecmp(name + sizeof(prefix) - 1, platform, len) == 0 && name[sizeof(prefix) - 1 + len] == '_');
}

/* Unsets SEALSTREAM_*: every one sets an option of some command. */
static void forget_environment(const char *platform)
{
	static const char prefix[] = "SEALSTREAM_";
	char name[80];

	for (char **at = environ; *at != NULL;) {
		size_t len = strcspn(*at, "=");

		if (strncmp(*at, prefix, sizeof(prefix) - 1) != 0 || is_kept(*at, platform) || len >= sizeof(name)) {
			at++;
			continue;
		}
		memcpy(name, *at, len);
		name[len] = '\0';
		unsetenv(name);
		at = environ; /* unsetenv moves the entries */
	}
}

/* What the user's environment says about other runs must not reach the stories. */
static enum seal_status set_environment(const struct place *place, const struct demo *demo, struct arena *arena,
					struct seal_err *err)
{
	const char *brokers = demo->reach.brokers, *file = demo->reach.file;
	char *keyring = arena_printf(arena, "%s/keyring", place->directory);

	if (keyring == NULL)
		return err_memory(err);
	forget_environment(demo->options->platform);
	if (setenv("SEALSTREAM_KEYRING", keyring, 1) != 0 || setenv("SEALSTREAM_POLICY", "policy.yaml", 1) != 0 ||
	    setenv("SEALSTREAM_LOG_LEVEL", "error", 1) != 0 ||
	    setenv("SEALSTREAM_SANDBOX", "off", 1) != 0 || /* all its commands are this process */
	    (demo->embedded && setenv("SEALSTREAM_DELIVERY", "at-least-once", 1) != 0) ||
	    (brokers != NULL && setenv("SEALSTREAM_BOOTSTRAP_SERVER", brokers, 1) != 0) ||
	    (file != NULL && setenv("SEALSTREAM_COMMAND_CONFIG", file, 1) != 0))
		return err_memory(err);
	return SEAL_OK;
}

/* The settings file's full name, as the stories run in another directory; NULL: there is none. */
static enum seal_status full_name(const char *file, char absolute[PATH_MAX], const char **out, struct seal_err *err)
{
	*out = file ? realpath(file, absolute) : NULL;
	if (file != NULL && *out == NULL)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot open %s", file);
	return SEAL_OK;
}

static void choose_key(struct demo *demo, struct demo_key *key, const char *name, const char *suffix)
{
	static const char local[] = "local:";

	snprintf(key->reference, sizeof(key->reference), "%s%.20s%.100s",
		 demo->options->vault ? "vault:transit/" : local, name, demo->options->vault ? suffix : "");
	key->name = key->reference + (demo->options->vault ? 0 : sizeof(local) - 1);
}

/* Of Kafka a topic is written and read under one name. */
static void name_stream(struct demo_stream *stream, const char *name, const char *suffix)
{
	snprintf(stream->name, sizeof(stream->name), "%.30s%.80s", name, suffix);
	snprintf(stream->to, sizeof(stream->to), "%s", stream->name);
	snprintf(stream->admin, sizeof(stream->admin), "%s", stream->name);
	snprintf(stream->from, sizeof(stream->from), "%s", stream->name);
}

static void choose_names(struct demo *demo)
{
	const char *suffix = demo->options->suffix ? demo->options->suffix : "";

	name_stream(&demo->plain, "purchases", suffix);
	name_stream(&demo->protected, "purchases_encrypted", suffix);
	name_stream(&demo->files, "purchases_large_encrypted", suffix);
	choose_key(demo, &demo->keys[DEMO_KEY_PII], "pii", suffix);
	choose_key(demo, &demo->keys[DEMO_KEY_FILES], "files", suffix);
	snprintf(demo->group, sizeof(demo->group), "sealstream-demo-%lld", (long long)(clock_unix_ms() / 1000));
	demo->member[0] = "-G";
	demo->member[1] = demo->group;
}

static void add_extra(struct demo *demo)
{
	size_t n = 0;

	for (const struct opt_list *item = demo->options->connection.properties;
	     item != NULL && n + 3 < sizeof(demo->extra) / sizeof(demo->extra[0]); item = item->next) {
		demo->extra[n++] = "-X";
		demo->extra[n++] = item->text;
	}
	/* Its rebalances last as long as a session; a member that it has dropped meanwhile asks again after the other time. */
	if (demo->embedded) {
		demo->extra[n++] = "-X";
		demo->extra[n++] = "session.timeout.ms=6000";
		demo->extra[n++] = "-X";
		demo->extra[n++] = "max.poll.interval.ms=20000";
	}
	demo->extra[n] = NULL;
}

static enum seal_status create_topics(struct demo *demo, struct kafka_mock *mock, struct kafka_config *config,
				      struct seal_err *err)
{
	const char *const topics[] = {demo->plain.name, demo->protected.name, demo->files.name, NULL};
	enum seal_status rc = SEAL_OK;

	if (mock != NULL) {
		for (size_t i = 0; rc == SEAL_OK && topics[i] != NULL; i++)
			rc = kafka_mock_topic(mock, topics[i], 1, err);
		return rc;
	}
	SEAL_TRY(kafka_connection_load(&demo->options->connection, config, err));
	SEAL_TRY(kafka_topics_create(config, topics, 1, (int)demo->options->connection.connect_timeout_ms, err));
	demo->made_topics = true;
	printf("Made the topics %s, %s and %s.\n", demo->plain.name, demo->protected.name, demo->files.name);
out:
	if (rc != SEAL_OK && err != NULL && err->code == SEAL_E_CREATE)
		snprintf(err->text, sizeof(err->text),
			 "exists already and is left alone; give the demo's topics other names with --suffix");
	return rc;
}

/* Only what this run has made. */
static void delete_topics(const struct demo *demo, struct kafka_config *config)
{
	const char *const topics[] = {demo->plain.name, demo->protected.name, demo->files.name, NULL};
	struct seal_err err = SEAL_ERR_INIT;

	if (!demo->made_topics)
		return;
	if (demo->options->keep) {
		printf("The topics %s, %s and %s stay.\n", demo->plain.name, demo->protected.name, demo->files.name);
		return;
	}
	if (kafka_topics_delete(config, topics, demo->group, (int)demo->options->connection.connect_timeout_ms,
				&err) == SEAL_OK)
		printf("Deleted the topics %s, %s and %s.\n", demo->plain.name, demo->protected.name,
		       demo->files.name);
	else
		log_err(LOG_WARNING, &err);
}

/* A broker, and the topics on it. */
static enum seal_status prepare_kafka(struct demo *demo, struct kafka_mock **mock, struct kafka_config *config,
				      struct seal_err *err)
{
	enum seal_status rc;

	if (demo->embedded) {
		SEAL_TRY(kafka_mock_open(1, mock, err));
		demo->reach.brokers = kafka_mock_address(*mock);
		printf("An embedded broker runs at %s. It forgets everything when the demo ends.\n",
		       demo->reach.brokers);
	}
	rc = create_topics(demo, *mock, config, err);
out:
	return rc;
}

static enum seal_status choose_platform(struct demo *demo, struct seal_err *err)
{
	const struct kafka_connection *connection = &demo->options->connection;
	const bool named = connection->brokers != NULL || connection->file != NULL || connection->properties != NULL;

	choose_names(demo);
	if (strcmp(demo->options->platform, PLATFORM_KAFKA) == 0) {
		demo->embedded = !named;
		return SEAL_OK;
	}
	if (named)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "-b, -F and -X are for Kafka, not for --platform %.40s",
			       demo->options->platform);
	return demo_platform_choose(demo, err);
}

/* All that is made away from here is taken away again, however the stories end. */
static enum seal_status tell(struct demo *demo, struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct place place = {.home = -1};
	enum seal_status rc = SEAL_OK;

	if (demo->options->vault)
		rc = demo_vault_prepare(demo, call, err);
	if (rc == SEAL_OK)
		rc = place_enter(&place, err);
	if (rc == SEAL_OK)
		rc = set_environment(&place, demo, call->arena, err);
	if (rc == SEAL_OK && demo->platform != NULL)
		rc = demo_platform_prepare(demo, call->arena, err);
	if (rc == SEAL_OK)
		rc = demo_tell(demo, exit_code, err);
	place_leave(&place);
	demo_vault_clear(demo, call);
	demo_platform_clear(demo);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct demo_options *options = call->options;
	struct demo demo = {.options = options, .color = output_colored(call->global, stdout)};
	struct kafka_mock *mock = NULL;
	struct kafka_config config;
	char absolute[PATH_MAX];
	const char *file;
	enum seal_status rc;

	kafka_config_init(&config);
	SEAL_TRY(full_name(options->connection.file, absolute, &file, err));
	SEAL_TRY(choose_platform(&demo, err));
	add_extra(&demo);
	demo.reach = options->connection;
	demo.reach.file = file;
	if (demo.platform == NULL)
		SEAL_TRY(prepare_kafka(&demo, &mock, &config, err));
	rc = tell(&demo, call, exit_code, err);
	delete_topics(&demo, &config);
out:
	kafka_config_clear(&config);
	kafka_mock_close(mock);
	log_setup((enum log_level)call->global->log_level, (enum log_format)call->global->log_format);
	return rc;
}

const struct command command_demo = {
	.name = "demo",
	.usage = "",
	.summary = "Show the whole way on a broker and a keyring that need no setting up",
	.details =
		"Sends purchases to a topic in clear, copies them with protected fields into a second one, "
		"rotating the key in "
		"the middle, reveals them as a consumer would, shows all three side by side and checks that every "
		"record "
		"came back. Then a picture, a table and a text travel as files through a third topic. Without -b, -F "
		"or -X the broker is embedded. Everything else lives in a temporary "
		"directory "
		"that is removed at the end, also after a stop request.\n"
		"With --vault the keys of addresses and files live in Transit, and never leave the server; Transit "
		"is enabled "
		"where it is not. Cards stay on a local key. What the demo makes on the server it tells, and "
		"removes at "
		"the end; a key that exists is never touched. --vault must be said: VAULT_ADDR in the environment "
		"alone "
		"does not let a demo write to your server.\n"
		"With --platform the streams are those of another platform, at the endpoint that its own variables "
		"name "
		"(AWS_ENDPOINT_URL, PUBSUB_EMULATOR_HOST, AZURE_EVENTHUB_CONNECTION_STRING): a stand-in, as a rule. "
		"Without one it says how to start one. Their names end in the time, and they are deleted at the end; "
		"the hubs of Event Hubs must be there.\n"
		"On a real cluster three topics of one partition are made, and deleted at the end; one that exists "
		"is never "
		"touched, then --suffix gives them other names.",
	.examples = "sealstream demo\n"
		    "PUBSUB_EMULATOR_HOST=127.0.0.1:8085 sealstream demo --platform pubsub\n"
		    "sealstream demo -b broker:9092\n"
		    "sealstream demo --vault --vault-addr http://127.0.0.1:8200\n",
	.options = rows,
	.options_size = sizeof(struct demo_options),
	.keys = true,
	.run = run,
};

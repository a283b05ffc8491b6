/*
 * The audit trail for commands: who runs it, and where it goes. audit_meter.c has what is counted.
 *
 *   audit_use_run ── start ── command->run ─┬─ policy ── use … use ─┬── stop
 *                                           └─ key ───── use … use ─┘
 */
#include "cmd/audit_run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "cmd/kafka_use.h"
#include "cmd/sandbox_use.h"

#define NAME_MAX_LEN 256
#define NO_LOGIN UINT32_MAX /* loginuid of what no login has started */

/* ---- who ---- */

static void user_name(uid_t uid, char out[NAME_MAX_LEN])
{
	char room[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL)
		snprintf(out, NAME_MAX_LEN, "%s", found->pw_name);
	else
		snprintf(out, NAME_MAX_LEN, "%lu", (unsigned long)uid);
}

/* Who has logged in, whatever became of the process since (su, sudo). False: nobody has, or the system does not say. */
static bool login_uid(uint64_t *out)
{
	char text[24];
	int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 && bytes_to_u64(bytes_of(text, (size_t)n), UINT32_MAX, out) && *out != NO_LOGIN;
}

static enum seal_status put_who(struct seal_buf *members, struct seal_err *err)
{
	char name[NAME_MAX_LEN], host[NAME_MAX_LEN] = "";
	uint64_t login;
	enum seal_status rc;

	(void)gethostname(host, sizeof(host) - 1);
	user_name(geteuid(), name);
	SEAL_TRY(audit_put_text(members, "user", name, err));
	SEAL_TRY(audit_put_number(members, "uid", geteuid(), err));
	if (login_uid(&login)) {
		user_name((uid_t)login, name);
		SEAL_TRY(audit_put_text(members, "login", name, err));
	}
	SEAL_TRY(audit_put_text(members, "host", host, err));
	SEAL_TRY(audit_put_number(members, "pid", (uint64_t)getpid(), err));
out:
	return rc;
}

static enum seal_status write_start(struct audit *audit, const char *path, struct seal_err *err)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc;

	SEAL_TRY(audit_put_text(&members, "command", path, err));
	SEAL_TRY(audit_put_text(&members, "version", seal_version(), err));
	SEAL_TRY(put_who(&members, err));
	rc = audit_append(audit, "start", buf_bytes(&members), err);
out:
	buf_clear(&members);
	return rc;
}

static enum seal_status write_stop(struct audit *audit, int exit_code, const struct seal_err *why,
				   struct seal_err *err)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc;

	SEAL_TRY(audit_put_number(&members, "exit", (uint64_t)exit_code, err));
	if (why->status != SEAL_OK)
		SEAL_TRY(audit_put_text(&members, "error", seal_code_name(why->code), err));
	rc = audit_append(audit, "stop", buf_bytes(&members), err);
out:
	buf_clear(&members);
	return rc;
}

/* ---- where ---- */

struct audit_settings {
	struct kafka_connection connection;
};

/* How the audit topic's brokers are reached: --audit-config, or as the command reaches its own. */
static enum seal_status find_connection(const struct command_call *call, struct kafka_connection *out,
					struct seal_err *err)
{
	const struct opt_row *rows = call->command->options;
	const struct opt_row *row = rows != NULL ? opt_find(rows, bytes_str("bootstrap-server")) : NULL;
	enum seal_status rc = SEAL_OK;

	if (call->global->audit_choice.config != NULL) {
		static const struct opt_row own[] = {KAFKA_CONNECTION_ROWS(struct audit_settings, connection),
						     OPT_END};
		struct audit_settings defaults = {.connection = {.brokers = NULL}};

		rc = opt_defaults(own, &defaults, call->arena, err);
		*out = defaults.connection;
		out->file = call->global->audit_choice.config;
	} else if (row != NULL) {
		/* KAFKA_CONNECTION_ROWS begin with it, so that this is where the connection lies */
		memcpy(out, (const char *)call->options + row->offset - offsetof(struct kafka_connection, brokers),
		       sizeof(*out));
	} else {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "this command has no brokers; say with --audit-config FILE where the audit topic is");
	}
	return rc;
}

static enum seal_status open_topic(const struct command_call *call, const char *topic, struct audit_target **out,
				   struct seal_err *err)
{
	struct kafka_sink_options options = {.keep_partition = false};
	struct sink *sink = NULL;
	enum seal_status rc;

	if (topic[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--audit topic:NAME needs the topic's name");
	SEAL_TRY(find_connection(call, &options.connection, err));
	SEAL_TRY(kafka_use_sink(topic, &options, &sink, err));
	rc = audit_topic_open(sink, topic, out, err);
out:
	return rc;
}

static enum seal_status open_target(const struct command_call *call, const char *text, struct audit_target **out,
				    struct seal_err *err)
{
	static const char file[] = "file:", topic[] = "topic:", syslog[] = "syslog";
	const size_t syslog_len = sizeof(syslog) - 1;
	enum seal_status rc;

	if (strncmp(text, topic, sizeof(topic) - 1) == 0)
		rc = open_topic(call, text + sizeof(topic) - 1, out, err);
	else if (strcmp(text, syslog) == 0)
		rc = audit_syslog_open(AUDIT_SYSLOG_SOCKET, out, err);
	else if (strncmp(text, syslog, syslog_len) == 0 && text[syslog_len] == ':')
		rc = audit_syslog_open(text + syslog_len + 1, out, err);
	else
		rc = audit_file_open(text + (strncmp(text, file, sizeof(file) - 1) == 0 ? sizeof(file) - 1 : 0), out,
				     err);
	return rc;
}

/* ---- the run ---- */

static void on_failed(void *arg)
{
	(void)arg;
	stop_ask();
}

/* The hash of the last line, for whoever keeps it elsewhere: what is taken from the trail's end later is missed then. */
static void tell_end(struct audit *audit, const char *target)
{
	const struct audit_link end = audit_end(audit);
	char hash[2 * SHA256_LEN + 1] = "";

	if (end.seq == 0)
		return;
	hex_encode(bytes_of(end.hash, sizeof(end.hash)), hash);
	log_say(LOG_INFO, "audit trail %s: line %" PRIu64 ", hash %s", target, end.seq, hash);
}

/* The trail's failure is the run's, unless that had another one, which is the first then. */
static enum seal_status end(struct audit *audit, const char *target, enum seal_status rc, int exit_code,
			    struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT, failure = SEAL_ERR_INIT;

	if (rc != SEAL_OK)
		why = *err;
	(void)write_stop(audit, rc != SEAL_OK ? exit_code_of(&why) : exit_code, &why, &failure);
	tell_end(audit, target);
	if (failure.status == SEAL_OK || (rc != SEAL_OK && why.code == failure.code))
		return rc;
	if (rc != SEAL_OK) {
		log_err(LOG_ERROR, &failure);
		return rc;
	}
	*err = failure;
	return failure.status;
}

/* Rights go while there is one thread only (sandbox/sandbox.h), and a trail has threads. The command does it again, to no effect. */
static enum seal_status drop_rights(const struct command_call *call, struct seal_err *err)
{
	const struct opt_row *rows = call->command->options;
	const struct opt_row *row = rows != NULL ? opt_find(rows, bytes_str("sandbox")) : NULL;
	int mode;

	if (row == NULL)
		return SEAL_OK;
	memcpy(&mode, (const char *)call->options + row->offset, sizeof(mode));
	return sandbox_use_drop(mode, err);
}

enum seal_status audit_use_run(struct command_call *call, struct global_options *global, const char *path,
			       int *exit_code, struct seal_err *err)
{
	const struct audit_options options = {.interval_ms = (uint64_t)global->audit_choice.interval_ms,
					      .failed = on_failed};
	struct audit_target *target = NULL;
	struct audit_run run = {.audit = NULL};
	enum seal_status rc;

	if (global->audit_choice.target == NULL)
		return call->command->run(call, exit_code, err);
	SEAL_TRY(drop_rights(call, err));
	SEAL_TRY(open_target(call, global->audit_choice.target, &target, err));
	SEAL_TRY(audit_new(target, &options, &run.audit, err));
	SEAL_TRY(write_start(run.audit, path, err));
	global->audit = &run;
	rc = call->command->run(call, exit_code, err);
	global->audit = NULL;
	rc = end(run.audit, global->audit_choice.target, rc, *exit_code, err);
out:
	audit_free(run.audit);
	return rc;
}

/* ---- what ---- */

void audit_use_streams(const struct global_options *global, const char *from, const char *to)
{
	if (global->audit == NULL)
		return;
	global->audit->from = from;
	global->audit->to = to;
}

enum seal_status audit_put_streams(const struct audit_run *run, struct seal_buf *members, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (run->from != NULL)
		SEAL_TRY(audit_put_text(members, "from", run->from, err));
	if (run->to != NULL)
		SEAL_TRY(audit_put_text(members, "to", run->to, err));
out:
	return rc;
}

enum seal_status audit_put_key(struct seal_buf *members, const char *scheme, struct seal_bytes reference,
			       struct seal_err *err)
{
	char text[AUDIT_TEXT_MAX + 1];

	snprintf(text, sizeof(text), "%s:%.*s", scheme, BYTES_FMT(reference));
	return audit_put_text(members, "key", text, err);
}

enum seal_status audit_use_key(const struct global_options *global, const char *scheme, struct seal_bytes reference,
			       struct seal_err *err)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc;

	if (global->audit == NULL)
		return SEAL_OK;
	SEAL_TRY(audit_put_key(&members, scheme, reference, err));
	rc = audit_append(global->audit->audit, "key", buf_bytes(&members), err);
out:
	buf_clear(&members);
	return rc;
}

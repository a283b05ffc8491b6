/* The key of files: found, opened, and fit to wrap data keys; and what others see of a transfer under it. */
#include "cmd/file_use.h"

#include "base/clock.h"

/* For one data key; a server's own timeouts end each try sooner. */
#define TIMEOUT_MS 120000

enum seal_status file_key_open(const struct command_call *call, const char *text, bool reveal, struct file_key *key,
			       struct seal_err *err)
{
	struct key_info info;
	enum seal_status rc;

	SEAL_TRY(key_use_find(text, &key->store, err));
	SEAL_TRY(key_use_open(call, false, &key->store, err));
	SEAL_TRY(key->store.source->key(key->store.on.source, key->store.reference, &key->key, err));
	SEAL_TRY(key->key->ops->info(key->key, &info, err));
	if (!(info.uses & KEY_ENCRYPT)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "key %s has type %s and cannot wrap the keys of files; name one that encrypts", text,
			     info.type);
		goto out;
	}
	key->derived = info.derived;
	SEAL_TRY(key->key->ops->session(key->key, &key->session, err));
	SEAL_TRY(audit_files_open(call->global, text, reveal, &key->audit, err));
out:
	if (rc != SEAL_OK)
		file_key_close(key);
	return rc;
}

void file_key_close(struct file_key *key)
{
	audit_files_close(key->audit);
	key->audit = NULL;
	if (key->session != NULL)
		key->session->ops->free(key->session);
	key->session = NULL;
	if (key->key != NULL)
		key->key->ops->free(key->key);
	key->key = NULL;
	key_use_end(&key->store);
}

struct key_call file_key_call(const struct command_call *call)
{
	return (struct key_call){.arena = call->arena, .deadline_ms = clock_mono_ms() + TIMEOUT_MS};
}

/* ---- a transfer that is watched ---- */

enum seal_status file_watch_open(struct file_watch *watch, const struct command_call *call, const char *listen,
				 const char *done, struct seal_err *err)
{
	const struct monitor_run run = {.address = listen, .command = call->command->name, .files = done};
	enum seal_status rc = monitor_open(&run, &watch->monitor, err);

	watch->global = *call->global;
	watch->global.key_metrics = monitor_keys(watch->monitor);
	watch->call = *call;
	watch->call.global = &watch->global;
	return rc;
}

static void on_event(void *arg, const struct transfer_event *event)
{
	const struct file_watch *watch = arg;

	if (event->what == TRANSFER_STARTED || event->what == TRANSFER_RESUMED)
		audit_files_begun(watch->key.audit);
	else if (event->what == TRANSFER_DONE)
		audit_files_done(watch->key.audit, event->bytes);
}

static void on_waiting(void *arg, const struct seal_err *why)
{
	const struct file_watch *watch = arg;

	monitor_waiting(watch->monitor, why);
}

static void on_resumed(void *arg)
{
	const struct file_watch *watch = arg;

	monitor_resumed(watch->monitor);
}

static void on_alive(void *arg, const struct file_numbers *numbers)
{
	const struct file_watch *watch = arg;

	monitor_files(watch->monitor, numbers);
}

void file_watch_start(struct file_watch *watch, struct file_progress *progress, const char *key, const char *topic,
		      struct source *source)
{
	file_progress_tell_also(progress, &(struct file_progress_also){.event = on_event,
								       .waiting = on_waiting,
								       .resumed = on_resumed,
								       .alive = on_alive,
								       .arg = watch});
	monitor_start_files(watch->monitor, &(struct monitor_transfer){.topic = bytes_str(topic),
								       .source = source,
								       .key = watch->key.key,
								       .key_name = key});
}

void file_watch_end(struct file_watch *watch)
{
	monitor_stop(watch->monitor);
}

void file_watch_close(struct file_watch *watch)
{
	file_key_close(&watch->key);
	monitor_close(watch->monitor);
	watch->monitor = NULL;
}

/* The key of files: found, opened, and fit to wrap data keys. */
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

void file_key_count(void *arg, const struct transfer_event *event)
{
	const struct file_key *key = arg;

	if (event->what == TRANSFER_STARTED || event->what == TRANSFER_RESUMED)
		audit_files_begun(key->audit);
	else if (event->what == TRANSFER_DONE)
		audit_files_done(key->audit, event->bytes);
}

struct key_call file_key_call(const struct command_call *call)
{
	return (struct key_call){.arena = call->arena, .deadline_ms = clock_mono_ms() + TIMEOUT_MS};
}

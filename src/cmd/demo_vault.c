/*
 * The demo on a key server: what it needs there is made and told, and taken away at the end. Only what this run has made:
 * a key that is there already ends the demo before it begins, and a mount stays where it was, or where others have keys in it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/demo.h"
#include "cmd/key_use.h"
#include "vault/mount.h"

#define MOUNT "transit"
#define TIMEOUT_MS 30000

static const char *address(const struct command_call *call)
{
	const char *addr = call->global->vault.addr;

	return addr != NULL ? addr : "https://127.0.0.1:8200";
}

/* Every option in its variable, so that the stories' commands look as a user would type them. */
static enum seal_status set_variables(const struct vault_options *options, struct arena *arena, struct seal_err *err)
{
	for (const struct opt_row *row = vault_rows; row->name != NULL; row++) {
		const uint8_t *member = (const uint8_t *)options + row->offset;
		const char *text = NULL;

		if (row->type == OPT_STRING)
			text = *(const char *const *)(const void *)member;
		else if (row->type == OPT_FLAG)
			text = *(const bool *)(const void *)member ? "true" : NULL;
		else if (*(const int64_t *)(const void *)member != 0)
			text = arena_printf(arena, "%lld", (long long)*(const int64_t *)(const void *)member);
		if (text != NULL && setenv(row->env, text, 1) != 0)
			return err_memory(err);
	}
	return SEAL_OK;
}

static enum seal_status look(const struct demo_key *which, struct command_call *call, struct seal_err *err)
{
	struct key_admin_info info;
	struct managed_key key = {0};
	enum seal_status rc;

	SEAL_TRY(key_use_find(which->reference, &key, err));
	SEAL_TRY(key_use_open(call, false, &key, err));
	rc = key.ops->show(&key.on, key.reference, &info, err);
out:
	key_use_end(&key);
	return rc;
}

static enum seal_status claim(struct demo_key *key, struct command_call *call, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;

	if (look(key, call, &why) == SEAL_OK)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			       "%s exists already and is left alone; give the demo's keys other names with --suffix",
			       key->reference);
	if (why.code != SEAL_E_KEY_UNKNOWN) {
		*err = why;
		return why.status;
	}
	return SEAL_OK;
}

enum seal_status demo_vault_prepare(struct demo *demo, struct command_call *call, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(vault_mount_transit(&call->global->vault, MOUNT, clock_mono_ms() + TIMEOUT_MS, &demo->made_mount,
				     err));
	if (demo->made_mount)
		printf("Enabled Transit at %s/ of %s.\n", MOUNT, address(call));
	else
		printf("Transit is at %s/ of %s already.\n", MOUNT, address(call));
	for (size_t i = 0; i < DEMO_KEYS; i++)
		SEAL_TRY(claim(&demo->keys[i], call, err));
	for (size_t i = 0; i < DEMO_KEYS; i++)
		demo->keys[i].ours = true;
	printf("The demo makes the keys %s and %s there, and removes them at the end.\n",
	       demo->keys[DEMO_KEY_PII].reference, demo->keys[DEMO_KEY_FILES].reference);
	rc = set_variables(&call->global->vault, call->arena, err);
out:
	return rc;
}

static enum seal_status destroy(const struct demo_key *which, struct command_call *call, struct seal_err *err)
{
	const struct key_admin_change allow = {.mask = KEY_SET_DELETION_ALLOWED, .deletion_allowed = true};
	struct managed_key key = {0};
	enum seal_status rc;

	SEAL_TRY(key_use_find(which->reference, &key, err));
	SEAL_TRY(key_use_open(call, false, &key, err));
	SEAL_TRY(key.ops->configure(&key.on, key.reference, &allow, err));
	rc = key.ops->destroy(&key.on, key.reference, err);
out:
	key_use_end(&key);
	return rc;
}

/* Nobody has made a key in it since. */
static bool mount_is_empty(struct command_call *call)
{
	struct seal_err ignored = SEAL_ERR_INIT;
	struct managed_key store = {0};
	const char *const *names;
	size_t n = 1;

	if (key_use_find_store("vault:" MOUNT, &store, &ignored) == SEAL_OK &&
	    key_use_open(call, false, &store, &ignored) == SEAL_OK &&
	    store.ops->list(&store.on, store.reference, &names, &n, &ignored) != SEAL_OK)
		n = 1;
	key_use_end(&store);
	return n == 0;
}

static void remove_key(const struct demo *demo, const struct demo_key *key, struct command_call *call)
{
	struct seal_err err = SEAL_ERR_INIT;

	if (!key->ours)
		return;
	if (demo->options->keep)
		printf("The key %s stays.\n", key->reference);
	else if (destroy(key, call, &err) == SEAL_OK)
		printf("Removed the key %s.\n", key->reference);
	else if (err.code != SEAL_E_KEY_UNKNOWN) /* the demo ended before it was made */
		log_err(LOG_WARNING, &err);
}

void demo_vault_clear(const struct demo *demo, struct command_call *call)
{
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < DEMO_KEYS; i++)
		remove_key(demo, &demo->keys[i], call);
	if (!demo->made_mount || !mount_is_empty(call))
		return;
	if (vault_unmount(&call->global->vault, MOUNT, clock_mono_ms() + TIMEOUT_MS, &err) == SEAL_OK)
		printf("Disabled Transit at %s/ again.\n", MOUNT);
	else
		log_err(LOG_WARNING, &err);
}

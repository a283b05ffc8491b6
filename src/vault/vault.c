/*
 * The key source "vault": one client for an address, shared by all keys; what stands after "vault:" decides whether a key
 * is Transit's or a role of Transform's.
 */
#include "vault/vault.h"

#include "base/mem.h"
#include "vault/admin.h"
#include "vault/source.h"

static void close_source(struct key_source *base)
{
	struct vault_source *source = (struct vault_source *)base;

	if (source == NULL)
		return;
	for (size_t i = 0; i < source->n_idle; i++)
		vault_worker_free(source->idle[i]);
	mem_free(source->idle);
	vault_client_free(source->client);
	pthread_mutex_destroy(&source->lock);
	arena_clear(&source->arena);
	mem_free(source);
}

static enum seal_status open_source(const struct key_source_config *config, struct key_source **out,
				    struct seal_err *err)
{
	struct vault_source *source = mem_calloc(1, sizeof(*source));
	enum seal_status rc;

	*out = NULL;
	if (source == NULL)
		return err_memory(err);
	source->base.ops = &vault_source;
	arena_init(&source->arena, 0);
	SEAL_INVARIANT(pthread_mutex_init(&source->lock, NULL) == 0);
	if (config != NULL && config->vault != NULL)
		source->options = *config->vault;
	else
		SEAL_TRY(vault_options_env(&source->options, &source->arena, err));
	SEAL_TRY(vault_client_new(&source->options, &source->client, err));
	vault_client_watch(source->client, config != NULL ? config->metrics : NULL);
out:
	if (rc != SEAL_OK)
		close_source(&source->base);
	else
		*out = &source->base;
	return rc;
}

/* Room in `idle` for one more worker than there are, so that giving one back cannot fail. With the lock held. */
static enum seal_status make_room(struct vault_source *source, struct seal_err *err)
{
	const size_t wanted = source->cap_idle ? source->cap_idle * 2 : 4;
	void *grown;

	if (source->n_workers < source->cap_idle)
		return SEAL_OK;
	grown = mem_realloc_array(source->idle, wanted, sizeof(*source->idle));
	if (grown == NULL)
		return err_memory(err);
	source->idle = grown;
	source->cap_idle = wanted;
	return SEAL_OK;
}

enum seal_status vault_source_take(struct vault_source *source, struct vault_worker **out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&source->lock);
	if (source->n_idle > 0) {
		*out = source->idle[--source->n_idle];
	} else {
		SEAL_TRY(make_room(source, err));
		SEAL_TRY(vault_worker_new(source->client, out, err));
		source->n_workers++;
	}
out:
	pthread_mutex_unlock(&source->lock);
	return rc;
}

void vault_source_give(struct vault_source *source, struct vault_worker *worker)
{
	if (worker == NULL)
		return;
	pthread_mutex_lock(&source->lock);
	source->idle[source->n_idle++] = worker;
	pthread_mutex_unlock(&source->lock);
}

static enum seal_status open_key(struct key_source *base, struct seal_bytes text, struct key **out,
				 struct seal_err *err)
{
	struct vault_source *source = (struct vault_source *)base;
	struct vault_reference reference;
	const char *why;

	*out = NULL;
	if (!vault_reference_parse(text, &reference, &why))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "'%.*s' names no key: %s", BYTES_FMT(text), why);
	if (reference.role)
		return transform_role_open(source, &reference, out, err);
	return transit_key_open(source, &reference, out, err);
}

const struct key_source_ops vault_source = {
	.size = sizeof(struct key_source_ops),
	.name = "vault",
	.help = "MOUNT/NAME of a Transit key in Vault or OpenBao, or MOUNT/role/NAME of a Transform role",
	.open = open_source,
	.key = open_key,
	.check = vault_reference_check,
	.free = close_source,
	.admin = &vault_admin,
};

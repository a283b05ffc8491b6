/* A store in a server: its opening, its sessions, and the one list of its operations (read.c, insert.c, change.c). */
#include "base/clock.h"
#include "base/mem.h"
#include "stores/check.h"
#include "stores/postgresql/work.h"

static void session_free(struct store_session *base)
{
	struct postgresql_session *session = (struct postgresql_session *)base;

	if (session == NULL)
		return;
	postgresql_drop(session);
	buf_clear(&session->keys);
	buf_clear(&session->values);
	mem_free(session);
}

static enum seal_status session_start(struct store *base, bool create, struct store_session **out,
				      struct seal_err *err)
{
	struct postgresql_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc;

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->base.ops = &postgresql_store;
	session->store = (const struct postgresql *)base;
	session->create = create;
	session->keys = session->values = (struct seal_buf)BUF_INIT(ARRAY_MAX);
	session->deadline_ms = clock_mono_ms() + STORE_OPEN_MS;
	SEAL_TRY(postgresql_connect(session, err));
	*out = &session->base;
	session = NULL;
out:
	if (session != NULL)
		session_free(&session->base);
	return rc;
}

static enum seal_status session_new(struct store *base, struct store_session **out, struct seal_err *err)
{
	return session_start(base, ((const struct postgresql *)base)->create, out, err);
}

static enum seal_status postgresql_make(struct store *base, struct seal_err *err)
{
	struct store_session *session = NULL;
	enum seal_status rc = session_start(base, true, &session, err);

	session_free(session);
	return rc;
}

static void postgresql_free(struct store *base)
{
	struct postgresql *store = (struct postgresql *)base;

	if (store == NULL)
		return;
	mem_free(store->address);
	mem_free(store->shown);
	mem_free(store);
}

static enum seal_status postgresql_open(const char *address, const struct store_config *config, struct store **out,
					struct seal_err *err)
{
	struct postgresql *store = NULL;
	struct store_session *session = NULL;
	struct seal_err problem = SEAL_ERR_INIT;
	const char *why;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (!postgresql_address_check(bytes_str(address), &why))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
	store = mem_calloc(1, sizeof(*store));
	if (store == NULL || (store->address = mem_strdup(address)) == NULL ||
	    (store->shown = mem_strndup(address, strcspn(address, "?"))) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	store->base.ops = &postgresql_store;
	store->create = config->create;
	if (session_new(&store->base, &session, &problem) != SEAL_OK) /* what is wrong is said at start */
		SEAL_TRY(store_open_end(&store->base, config, &problem, err));
	session_free(session);
	*out = &store->base;
	store = NULL;
out:
	if (store != NULL)
		postgresql_free(&store->base);
	return rc;
}

const struct store_ops postgresql_store = {
	.size = sizeof(struct store_ops),
	.name = "postgresql",
	.help = "a server that many machines share: postgresql://host:5432/name",
	.check = postgresql_address_check,
	.open = postgresql_open,
	.session = session_new,
	.make = postgresql_make,
	.get = postgresql_get,
	.insert = postgresql_insert,
	.swap = postgresql_swap,
	.change = postgresql_change,
	.count = postgresql_count,
	.scan = postgresql_scan,
	.session_free = session_free,
	.free = postgresql_free,
};

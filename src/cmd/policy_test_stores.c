/* See policy_test_stores.h. */
#include "cmd/policy_test_stores.h"

#include "base/mem.h"
#include "cmd/temporary.h"
#include "stores/sqlite/sqlite.h"

struct stand_in {
	struct store base;
	struct store_ops ops; /* the file's, but for its life */
	struct store *file;
	char *directory;
	struct arena arena; /* of texts */
};

static void stand_in_free(struct store *base)
{
	struct stand_in *store = (struct stand_in *)base;

	if (store == NULL)
		return;
	sqlite_store.free(store->file);
	temporary_remove(store->directory);
	arena_clear(&store->arena);
	mem_free(store);
}

static enum seal_status stand_in_session(struct store *base, struct store_session **out, struct seal_err *err)
{
	return sqlite_store.session(((struct stand_in *)base)->file, out, err);
}

static enum seal_status stand_in_open(const char *address, const struct store_config *config, struct store **out,
				      struct seal_err *err)
{
	struct stand_in *store = mem_calloc(1, sizeof(*store));
	const char *file;
	enum seal_status rc;

	*out = NULL;
	if (store == NULL)
		return err_memory(err);
	store->ops = sqlite_store;
	store->ops.session = stand_in_session;
	store->ops.free = stand_in_free;
	store->base.ops = &store->ops;
	arena_init(&store->arena, 0);
	SEAL_TRY(temporary_make(&store->arena, &store->directory, err));
	file = arena_printf(&store->arena, "sqlite:%s/store.db", store->directory);
	if (file == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(sqlite_store.open(file, config, &store->file, err));
	*out = &store->base;
	store = NULL;
out:
	if (store != NULL)
		stand_in_free(&store->base);
	return rc;
}

/* Only opened and freed; what that gives has all operations. */
static const struct store_ops stand_in_sqlite = {.size = sizeof(struct store_ops),
						 .name = "sqlite",
						 .help = "a stand-in",
						 .open = stand_in_open,
						 .free = stand_in_free};
static const struct store_ops stand_in_postgresql = {.size = sizeof(struct store_ops),
						     .name = "postgresql",
						     .help = "a stand-in",
						     .open = stand_in_open,
						     .free = stand_in_free};

const struct store_ops *const test_stores[] = {&stand_in_sqlite, &stand_in_postgresql, NULL};

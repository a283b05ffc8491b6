/* A store in a file: its address, its opening, and the one list of its operations (rows.c). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "stores/check.h"
#include "stores/sqlite/work.h"

#define SCHEME "sqlite:"
#define PATH_MAX_LEN 4000

struct sqlite {
	struct store base;
	char *path;
	bool create;
};

bool sqlite_address_check(struct seal_bytes address, const char **why)
{
	struct seal_bytes path = bytes_skip(address, sizeof(SCHEME) - 1);

	*why = "a file stands after sqlite:, like sqlite:keys.db or sqlite:/var/lib/sealstream/keys.db";
	if (!bytes_starts(address, BYTES_LIT(SCHEME)) || path.len == 0 || memchr(path.ptr, '\0', path.len) != NULL)
		return false;
	if (path.ptr[path.len - 1] == '/' || bytes_starts(path, BYTES_LIT("//")))
		return false;
	if (path.ptr[0] == ':') {
		*why = "a store in memory would be gone with the program; name a file";
		return false;
	}
	*why = "the path of the file is too long";
	return path.len <= PATH_MAX_LEN;
}

/* Opening ----------------------------------------------------------------------------------------------------- */

/* With "./" before a relative path nothing of it has a meaning of its own for SQLite ("file:…", ":memory:"). */
static char *path_of(const char *address)
{
	const char *path = address + sizeof(SCHEME) - 1;
	size_t len = strlen(path);
	char *out = mem_alloc(len + 3);

	if (out != NULL)
		snprintf(out, len + 3, "%s%s", path[0] == '/' ? "" : "./", path);
	return out;
}

/* An empty file that only we may read. One that is there already is fine. */
static enum seal_status make_file(const char *path, struct seal_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno != EEXIST)
		return err_set_errno(err, errno == EACCES || errno == EROFS ? SEAL_DENIED : SEAL_USAGE,
				     errno == EACCES || errno == EROFS ? SEAL_E_DENIED : SEAL_E_CREATE, errno,
				     "cannot make the store %s, whose directory must exist", path);
	if (fd >= 0)
		close(fd);
	return SEAL_OK;
}

static enum seal_status find_file(const struct sqlite *store, bool create, struct seal_err *err)
{
	struct stat st;

	if (stat(store->path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return SEAL_OK;
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is no file, so no store", store->path);
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno, "cannot look at the store %s",
				     store->path);
	if (create)
		return make_file(store->path, err);
	return err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT,
		       "there is no store %s: what protects makes it, and so does `sealstream store init`",
		       store->path);
}

static void sqlite_free(struct store *base)
{
	struct sqlite *store = (struct sqlite *)base;

	if (store == NULL)
		return;
	mem_free(store->path);
	mem_free(store);
}

static enum seal_status sqlite_session(struct store *base, struct store_session **out, struct seal_err *err)
{
	const struct sqlite *store = (const struct sqlite *)base;
	struct sqlite_session *session = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(find_file(store, false, err));
	SEAL_TRY(sqlite_session_open(store->path, store->create, &session, err));
	*out = &session->base;
out:
	return rc;
}

static enum seal_status sqlite_make(struct store *base, struct seal_err *err)
{
	const struct sqlite *store = (const struct sqlite *)base;
	struct sqlite_session *session = NULL;
	enum seal_status rc;

	SEAL_TRY(find_file(store, true, err));
	SEAL_TRY(sqlite_session_open(store->path, true, &session, err));
	sqlite_session_free(&session->base);
out:
	return rc;
}

static enum seal_status sqlite_open(const char *address, const struct store_config *config, struct store **out,
				    struct seal_err *err)
{
	struct sqlite *store = NULL;
	struct store_session *session = NULL;
	struct seal_err problem = SEAL_ERR_INIT;
	const char *why;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (!sqlite_address_check(bytes_str(address), &why))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s", why);
	store = mem_calloc(1, sizeof(*store));
	if (store == NULL || (store->path = path_of(address)) == NULL) {
		rc = err_memory(err);
		goto out;
	}
	store->base.ops = &sqlite_store;
	store->create = config->create;
	if (store->create)
		SEAL_TRY(find_file(store, true, err));
	if (sqlite_session(&store->base, &session, &problem) != SEAL_OK) /* what is wrong is said at start */
		SEAL_TRY(store_open_end(&store->base, config, &problem, err));
	sqlite_session_free(session);
	*out = &store->base;
	store = NULL;
out:
	if (store != NULL)
		sqlite_free(&store->base);
	return rc;
}

const struct store_ops sqlite_store = {
	.size = sizeof(struct store_ops),
	.name = "sqlite",
	.help = "a file, for programs on one machine: sqlite:keys.db",
	.check = sqlite_address_check,
	.open = sqlite_open,
	.session = sqlite_session,
	.make = sqlite_make,
	.get = sqlite_get,
	.insert = sqlite_insert,
	.swap = sqlite_swap,
	.change = sqlite_change,
	.count = sqlite_count,
	.scan = sqlite_scan,
	.session_free = sqlite_session_free,
	.free = sqlite_free,
};

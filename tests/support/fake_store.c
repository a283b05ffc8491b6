/* A store in memory, for tests; see fake_store.h. Rows are in a tree of the C library's, ordered by space and key. */
#include "fake_store.h"

#include <pthread.h>
#include <search.h>

#include "base/mem.h"
#include "stores/check.h"

struct fake_row {
	char space[STORE_SPACE_MAX + 1];
	struct seal_bytes key, value; /* of malloc's */
};

struct fake_store {
	struct store base;
	pthread_mutex_t lock; /* guards the rows */
	void *rows;
	struct fake_store_control control;
};

struct fake_store_session {
	struct store_session base;
	struct fake_store *store;
};

static int compare(const void *a, const void *b)
{
	const struct fake_row *x = a, *y = b;
	int order = strcmp(x->space, y->space);

	return order != 0 ? order : bytes_cmp(x->key, y->key);
}

/* malloc, past the hook of tests: the store is another process, as it were. */
static struct seal_bytes copy(struct seal_bytes from)
{
	uint8_t *to = malloc(from.len > 0 ? from.len : 1);

	SEAL_INVARIANT(to != NULL);
	if (from.len > 0)
		memcpy(to, from.ptr, from.len);
	return bytes_of(to, from.len);
}

static struct fake_row *find(struct fake_store *s, const char *space, struct seal_bytes key)
{
	struct fake_row like = {.key = key}, **at;

	snprintf(like.space, sizeof(like.space), "%s", space);
	at = tfind(&like, &s->rows, compare);
	return at != NULL ? *at : NULL;
}

static void add(struct fake_store *s, const char *space, struct seal_bytes key, struct seal_bytes value)
{
	struct fake_row *row = malloc(sizeof(*row));

	SEAL_INVARIANT(row != NULL && key.len <= STORE_KEY_MAX && value.len <= STORE_VALUE_MAX);
	*row = (struct fake_row){.key = copy(key), .value = copy(value)};
	snprintf(row->space, sizeof(row->space), "%s", space);
	SEAL_INVARIANT(tsearch(row, &s->rows, compare) != NULL);
}

static void free_row(void *arg)
{
	struct fake_row *row = arg;

	free((void *)row->key.ptr);
	free((void *)row->value.ptr);
	free(row);
}

static void take_away(struct fake_store *s, struct fake_row *row)
{
	tdelete(row, &s->rows, compare);
	free_row(row);
}

static enum seal_status told_to_fail(struct fake_store *s, int how, struct seal_err *err)
{
	if (atomic_load(&s->control.away_after) > 0 && atomic_fetch_sub(&s->control.away_after, 1) == 1)
		atomic_store(&s->control.fail, SEAL_RETRY);
	if (how == SEAL_OK)
		how = atomic_load(&s->control.fail);
	return how == SEAL_OK ? SEAL_OK
			      : err_set(err, (enum seal_status)how, SEAL_E_SERVICE, "the fake store is away");
}

static enum seal_status session(struct store *base, struct store_session **out, struct seal_err *err)
{
	struct fake_store *s = (struct fake_store *)base;
	struct fake_store_session *made = NULL;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(told_to_fail(s, SEAL_OK, err));
	made = mem_alloc(sizeof(*made));
	if (made == NULL)
		return err_memory(err);
	*made = (struct fake_store_session){{base->ops}, s};
	atomic_fetch_add(&s->control.sessions, 1);
	*out = &made->base;
out:
	return rc;
}

static void session_free(struct store_session *base)
{
	if (base != NULL)
		atomic_fetch_sub(&((struct fake_store_session *)base)->store->control.sessions, 1);
	mem_free(base);
}

static void before_query(struct fake_store *s)
{
	if (atomic_load(&s->control.before_get) > 0 && atomic_fetch_sub(&s->control.before_get, 1) == 1)
		s->control.rival(s->control.rival_arg);
}

static enum seal_status get(struct store_session *base, const char *space, struct store_item *items, size_t n,
			    const struct store_call *call, struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	enum seal_status rc;

	before_query(s);
	atomic_fetch_add(&s->control.queries, 1);
	SEAL_TRY(store_check_items(items, n, false, err));
	SEAL_TRY(told_to_fail(s, SEAL_OK, err));
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n && rc == SEAL_OK; i++) {
		const struct fake_row *row = find(s, space, items[i].key);

		items[i].value = row != NULL ? arena_copy(call->arena, row->value) : BYTES_EMPTY;
		if (row != NULL && items[i].value.ptr == NULL)
			rc = err_memory(err);
	}
	pthread_mutex_unlock(&s->lock);
out:
	return rc;
}

static bool guard_holds(struct fake_store *s, const char *space, struct store_guard *guard)
{
	const struct fake_row *row = guard != NULL ? find(s, space, guard->key) : NULL;

	if (guard != NULL)
		guard->failed = row == NULL || !bytes_eq(row->value, guard->value);
	return guard == NULL || !guard->failed;
}

static enum seal_status insert(struct store_session *base, const char *space, struct store_item *items, size_t n,
			       const struct store_call *call, struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	enum seal_status rc;

	atomic_fetch_add(&s->control.inserts, 1);
	SEAL_TRY(store_check_items(items, n, true, err));
	SEAL_TRY(told_to_fail(s, SEAL_OK, err));
	if (atomic_exchange(&s->control.before_insert, 0) == 1)
		s->control.rival(s->control.rival_arg);
	pthread_mutex_lock(&s->lock);
	if (!guard_holds(s, space, call->guard))
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the fake store has another guard");
	for (size_t i = 0; i < n && rc == SEAL_OK; i++) {
		const struct fake_row *row = find(s, space, items[i].key);

		items[i].inserted = row == NULL;
		if (row == NULL)
			add(s, space, items[i].key, items[i].value);
		else
			items[i].value = arena_copy(call->arena, row->value);
		if (items[i].value.ptr == NULL)
			rc = err_memory(err);
	}
	pthread_mutex_unlock(&s->lock);
out:
	return rc;
}

/* Under the lock. */
static bool replace(struct fake_store *s, const char *space, struct seal_bytes key, struct seal_bytes from,
		    struct seal_bytes to)
{
	struct fake_row *row = find(s, space, key);
	struct seal_bytes value;

	if (row == NULL || !bytes_eq(row->value, from))
		return false;
	if (to.ptr == NULL) {
		take_away(s, row);
		return true;
	}
	value = copy(to);
	free((void *)row->value.ptr);
	row->value = value;
	return true;
}

static enum seal_status swap(struct store_session *base, const char *space, struct seal_bytes key,
			     struct seal_bytes from, struct seal_bytes to, bool erase, bool *swapped,
			     const struct store_call *call, struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	enum seal_status rc;

	atomic_fetch_add(&s->control.swaps, 1);
	SEAL_TRY(told_to_fail(s, atomic_load(&s->control.fail_swap), err));
	pthread_mutex_lock(&s->lock);
	*swapped = replace(s, space, key, from, to);
	if (*swapped && erase)
		atomic_fetch_add(&s->control.erasures, 1);
	pthread_mutex_unlock(&s->lock);
out:
	return rc;
}

static enum seal_status change(struct store_session *base, const char *space, struct store_change *changes, size_t n,
			       const struct store_call *call, struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	enum seal_status rc;

	atomic_fetch_add(&s->control.changes, 1);
	SEAL_TRY(store_check_changes(changes, n, err));
	SEAL_TRY(told_to_fail(s, atomic_load(&s->control.fail_change), err));
	if (atomic_load(&s->control.before_change) > 0 && atomic_fetch_sub(&s->control.before_change, 1) == 1)
		s->control.rival(s->control.rival_arg);
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n; i++)
		changes[i].changed = replace(s, space, changes[i].key, changes[i].from, changes[i].to);
	pthread_mutex_unlock(&s->lock);
out:
	return rc;
}

struct counting {
	const char *space;
	struct seal_bytes prefix;
	uint64_t n, max;
};

static void count_row(const void *node, VISIT which, void *arg)
{
	const struct fake_row *row = *(struct fake_row *const *)node;
	struct counting *counting = arg;

	if ((which == postorder || which == leaf) && strcmp(row->space, counting->space) == 0 &&
	    counting->n < counting->max && bytes_starts(row->key, counting->prefix))
		counting->n++;
}

static enum seal_status count(struct store_session *base, const char *space, struct seal_bytes prefix, uint64_t max,
			      uint64_t *n, const struct store_call *call, struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	struct counting counting = {space, prefix, 0, max};
	enum seal_status rc;

	*n = 0;
	atomic_fetch_add(&s->control.queries, 1);
	atomic_fetch_add(&s->control.counts, 1);
	SEAL_TRY(told_to_fail(s, SEAL_OK, err));
	pthread_mutex_lock(&s->lock);
	twalk_r(s->rows, count_row, &counting);
	pthread_mutex_unlock(&s->lock);
	*n = counting.n;
out:
	return rc;
}

struct scan {
	const char *space;
	struct seal_bytes after;
	struct store_item *items;
	size_t n, max;
};

static void scan_row(const void *node, VISIT which, void *arg)
{
	struct fake_row *row = *(struct fake_row *const *)node;
	struct scan *scan = arg;

	if ((which == postorder || which == leaf) && strcmp(row->space, scan->space) == 0 && scan->n < scan->max &&
	    bytes_cmp(row->key, scan->after) > 0)
		scan->items[scan->n++] = (struct store_item){.key = row->key, .value = row->value};
}

static enum seal_status scan(struct store_session *base, const char *space, struct seal_bytes after, size_t max,
			     struct store_item **items, size_t *n, const struct store_call *call,
			     struct seal_err *err)
{
	struct fake_store *s = ((struct fake_store_session *)base)->store;
	struct scan scan = {space, after, NULL, 0, max};
	enum seal_status rc;

	before_query(s);
	atomic_fetch_add(&s->control.queries, 1);
	SEAL_TRY(told_to_fail(s, SEAL_OK, err));
	*items = scan.items = arena_alloc(call->arena, max * sizeof(**items), _Alignof(struct store_item));
	if (scan.items == NULL)
		return err_memory(err);
	pthread_mutex_lock(&s->lock);
	twalk_r(s->rows, scan_row, &scan);
	for (size_t i = 0; i < scan.n && rc == SEAL_OK; i++) {
		scan.items[i].key = arena_copy(call->arena, scan.items[i].key);
		scan.items[i].value = arena_copy(call->arena, scan.items[i].value);
		if (scan.items[i].key.ptr == NULL || scan.items[i].value.ptr == NULL)
			rc = err_memory(err);
	}
	pthread_mutex_unlock(&s->lock);
	*n = scan.n;
out:
	return rc;
}

static const struct store_ops ops = {
	.size = sizeof(struct store_ops),
	.name = "fake",
	.session = session,
	.get = get,
	.insert = insert,
	.swap = swap,
	.change = change,
	.count = count,
	.scan = scan,
	.session_free = session_free,
	.free = fake_store_free,
};

struct store *fake_store_new(void)
{
	struct fake_store *s = calloc(1, sizeof(*s));

	SEAL_INVARIANT(s != NULL);
	s->base.ops = &ops;
	pthread_mutex_init(&s->lock, NULL);
	return &s->base;
}

void fake_store_free(struct store *store)
{
	struct fake_store *s = (struct fake_store *)store;

	SEAL_INVARIANT(atomic_load(&s->control.sessions) == 0);
	tdestroy(s->rows, free_row);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct fake_store_control *fake_store_control(struct store *store)
{
	return &((struct fake_store *)store)->control;
}

struct walk {
	const char *space;
	size_t count, wanted;
	struct fake_row *found;
};

static void visit(const void *node, VISIT which, void *arg)
{
	struct fake_row *row = *(struct fake_row *const *)node;
	struct walk *walk = arg;

	if ((which != postorder && which != leaf) || strcmp(row->space, walk->space) != 0)
		return;
	if (walk->count++ == walk->wanted)
		walk->found = row;
}

size_t fake_store_count(struct store *store, const char *space)
{
	struct walk walk = {space, 0, SIZE_MAX, NULL};

	twalk_r(((struct fake_store *)store)->rows, visit, &walk);
	return walk.count;
}

struct seal_bytes fake_store_row(struct store *store, const char *space, size_t n, struct seal_bytes *key)
{
	struct walk walk = {space, 0, n, NULL};

	twalk_r(((struct fake_store *)store)->rows, visit, &walk);
	SEAL_INVARIANT(walk.found != NULL);
	if (key != NULL)
		*key = walk.found->key;
	return walk.found->value;
}

void fake_store_put(struct store *store, const char *space, struct seal_bytes key, struct seal_bytes value)
{
	add((struct fake_store *)store, space, key, value);
}

void fake_store_remove(struct store *store, const char *space, struct seal_bytes key)
{
	struct fake_store *s = (struct fake_store *)store;
	struct fake_row *row = find(s, space, key);

	SEAL_INVARIANT(row != NULL);
	take_away(s, row);
}

/*
 * The key source "local": keys shared by threads, in step with their files.
 *
 *   file ── read, authenticate, unwrap ──▶ state (immutable, counted) ──▶ sessions hold a reference each
 *                                            ▲
 *             another process rotates: a look once a second finds another inode, and reads again
 *
 *   uses     a block is added to the file's count under the lock, then given to threads from `allowance`; what is left
 *            when the key is closed goes back. A killed process loses its block, which is the safe side.
 *
 * Invariant: the count in the file is never below the number of encryptions made.
 */
#include "keys/keyring_key.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define LOOK_EVERY_MS 1000
#define GIVE_BACK_WAIT_MS 2000

struct keyring_state *keyring_state_get(struct keyring_key *key, unsigned *generation)
{
	struct keyring_state *state;

	pthread_mutex_lock(&key->swap);
	state = key->state;
	atomic_fetch_add(&state->refs, 1);
	*generation = atomic_load(&key->generation);
	pthread_mutex_unlock(&key->swap);
	return state;
}

void keyring_state_put(struct keyring_state *state)
{
	if (state == NULL || atomic_fetch_sub(&state->refs, 1) != 1)
		return;
	if (state->fd >= 0)
		close(state->fd);
	secret_clear(&state->material);
	key_file_clear(&state->file);
	mem_free(state);
}

struct seal_bytes keyring_state_material(const struct keyring_state *state, uint32_t version)
{
	SEAL_INVARIANT(version >= state->first && version <= state->file.n);
	return bytes_of(state->material.ptr + (size_t)(version - state->first) * KEY_MATERIAL_MAX,
			state->file.versions[version - 1].wrapped_len);
}

static enum seal_status state_read(const struct keyring *k, const char *name, struct keyring_state **out,
				   struct seal_err *err)
{
	struct keyring_state *state = mem_calloc(1, sizeof(*state));
	enum seal_status rc;

	if (state == NULL)
		return err_memory(err);
	atomic_init(&state->refs, 1);
	state->fd = -1;
	SEAL_TRY(keyring_load(k, name, &state->file, &state->fd, &state->st, err));
	state->first = state->file.min_decryption_version;
	SEAL_TRY(keyring_unwrap(&k->keys, &state->file, state->first, &state->material, err));
	*out = state;
	return SEAL_OK;
out:
	if (rc == SEAL_DATA)
		err_place(err, "%s/%s" KEY_SUFFIX, k->path, name);
	keyring_state_put(state);
	return rc;
}

/* The nonce of its wrapping is a version's identity: a key destroyed and made anew has others. */
static bool same_latest(const struct keyring_state *a, const struct keyring_state *b)
{
	return a->file.n == b->file.n &&
	       memcmp(key_file_latest(&a->file)->nonce, key_file_latest(&b->file)->nonce, KEY_WRAP_NONCE_LEN) == 0;
}

/* Makes `state` the newest. The caller holds `io`. */
static void publish(struct keyring_key *key, struct keyring_state *state)
{
	struct keyring_state *old = key->state;

	if (!same_latest(old, state))
		atomic_store(&key->allowance, (uint64_t)state->file.n << 32);
	pthread_mutex_lock(&key->swap);
	key->state = state;
	atomic_fetch_add(&key->generation, 1);
	pthread_mutex_unlock(&key->swap);
	keyring_state_put(old);
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The caller holds `io`. */
static enum seal_status look(struct keyring_key *key, struct seal_err *err)
{
	char name[KEY_FILE_NAME_MAX];
	struct keyring_state *state;
	enum seal_status rc;
	struct stat st;

	keyring_file_name(key->name, name);
	if (fstatat(key->keyring->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && unchanged(&st, &key->state->st))
		return SEAL_OK;
	SEAL_TRY(state_read(key->keyring, key->name, &state, err));
	publish(key, state);
out:
	return rc;
}

enum seal_status keyring_key_refresh(struct keyring_key *key, bool now, struct seal_err *err)
{
	uint64_t ms = clock_mono_ms(), due = atomic_load_explicit(&key->next_look_ms, memory_order_relaxed);
	enum seal_status rc;

	if (!now && (ms < due || !atomic_compare_exchange_strong(&key->next_look_ms, &due, ms + LOOK_EVERY_MS)))
		return SEAL_OK;
	/* Whoever holds it is bringing the newest state already, or waits for the disk: readers don't wait with it. */
	if (now)
		pthread_mutex_lock(&key->io);
	else if (pthread_mutex_trylock(&key->io) != 0)
		return SEAL_OK;
	rc = look(key, err);
	pthread_mutex_unlock(&key->io);
	/* A key whose file is gone or damaged stays unusable: the next call looks again. */
	if (rc != SEAL_OK)
		atomic_store(&key->next_look_ms, 0);
	return rc;
}

/* After fork() the child must not spend what the parent spends, too. */
static void own_allowance(struct keyring_key *key)
{
	long pid = (long)getpid();

	if (atomic_load_explicit(&key->pid, memory_order_relaxed) != pid) {
		atomic_store(&key->allowance, 0);
		atomic_store(&key->pid, pid);
	}
}

bool keyring_key_take(struct keyring_key *key, uint32_t version, uint32_t n)
{
	uint64_t have;

	own_allowance(key);
	have = atomic_load(&key->allowance);
	do {
		if (have >> 32 != version || (have & UINT32_MAX) < n)
			return false;
	} while (!atomic_compare_exchange_weak(&key->allowance, &have, have - n));
	return true;
}

/* Adds a block to the count of the newest version in `file`, after a rotation where one is due. */
static enum seal_status count_block(const struct keyring *k, struct key_file *file, uint32_t n, uint64_t *block,
				    struct seal_err *err)
{
	struct key_file_version *v = key_file_latest(file);
	uint64_t limit = KEY_USES_MAX;
	enum seal_status rc = SEAL_OK;

	if (file->auto_rotate != 0 && v->uses > 0 && v->uses + n > file->auto_rotate) {
		SEAL_TRY(keyring_add_fresh(k, file, err));
		v = key_file_latest(file);
	}
	if (n > limit - v->uses) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_KEY_EXHAUSTED,
			     "version %u of key %s has been used 2^32 times, as often as is safe; rotate it "
			     "(`sealstream key rotate %s`)",
			     file->n, file->name, file->name);
		goto out;
	}
	if (file->auto_rotate != 0 && file->auto_rotate > v->uses)
		limit = file->auto_rotate;
	*block = limit - v->uses < KEYRING_USES_BLOCK ? limit - v->uses : KEYRING_USES_BLOCK;
	if (*block < n)
		*block = n;
	v->uses += *block;
out:
	return rc;
}

/* Gives threads `block` more encryptions of `version`; what is left of the same version stays. */
static void add_allowance(struct keyring_key *key, uint32_t version, uint64_t block)
{
	uint64_t have = atomic_load(&key->allowance), left, next;

	do {
		left = have >> 32 == version ? have & UINT32_MAX : 0;
		if (left + block > UINT32_MAX)
			left = 0;
		next = (uint64_t)version << 32 | (left + block);
	} while (!atomic_compare_exchange_weak(&key->allowance, &have, next));
}

/* The caller holds `io`. */
static enum seal_status reserve(struct keyring_key *key, uint32_t n, uint64_t deadline_ms, struct seal_err *err)
{
	const struct keyring *k = key->keyring;
	struct keyring_lock lock = KEYRING_LOCK_INIT;
	struct keyring_state *state = NULL;
	struct key_file file = {0};
	enum seal_status rc;
	uint64_t block = 0;

	SEAL_TRY(keyring_lock(k->dirfd, k->path, deadline_ms, &lock, err));
	SEAL_TRY(keyring_load(k, key->name, &file, NULL, NULL, err));
	SEAL_TRY(count_block(k, &file, n, &block, err));
	SEAL_TRY(keyring_store(k, &file, err));
	SEAL_TRY(state_read(k, key->name, &state, err));
	publish(key, state);
	add_allowance(key, file.n, block);
out:
	if (rc != SEAL_OK && err != NULL && err->code != SEAL_E_KEY_EXHAUSTED)
		err_prefix(err, "cannot count what key %s encrypts", key->name);
	key_file_clear(&file);
	keyring_unlock(&lock);
	return rc;
}

enum seal_status keyring_key_reserve(struct keyring_key *key, uint32_t n, uint64_t deadline_ms, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	uint64_t have;

	pthread_mutex_lock(&key->io);
	own_allowance(key);
	/* Another thread may have been here first. */
	have = atomic_load(&key->allowance);
	if (have >> 32 != key->state->file.n || (have & UINT32_MAX) < n)
		rc = reserve(key, n, deadline_ms, err);
	pthread_mutex_unlock(&key->io);
	return rc;
}

/* Takes `left` off the count of the latest version, if that still is the one they were taken from. */
static enum seal_status return_uses(struct keyring_key *key, uint64_t left)
{
	const struct key_file_version *mine = key_file_latest(&key->state->file);
	const struct keyring *k = key->keyring;
	struct keyring_lock lock = KEYRING_LOCK_INIT;
	struct key_file file = {0};
	struct key_file_version *v;
	enum seal_status rc;

	SEAL_TRY(keyring_lock(k->dirfd, k->path, clock_mono_ms() + GIVE_BACK_WAIT_MS, &lock, NULL));
	SEAL_TRY(keyring_load(k, key->name, &file, NULL, NULL, NULL));
	v = key_file_latest(&file);
	if (memcmp(v->nonce, mine->nonce, sizeof(v->nonce)) == 0 && v->uses >= left) {
		v->uses -= left;
		SEAL_TRY(keyring_store(k, &file, NULL));
	}
out:
	key_file_clear(&file);
	keyring_unlock(&lock);
	return rc;
}

/* Best effort: without it the count is only too high. */
static void give_back(struct keyring_key *key)
{
	uint64_t have, left;
	enum seal_status ignored;

	own_allowance(key);
	have = atomic_exchange(&key->allowance, 0);
	left = have & UINT32_MAX;
	if (left == 0 || have >> 32 != key->state->file.n)
		return;
	ignored = return_uses(key, left);
	(void)ignored;
}

/* Of the latest version: those that nobody has reserved, and what this process has left of its own. */
static uint64_t uses_left(struct keyring_key *key, const struct keyring_state *state)
{
	const uint64_t have = atomic_load(&key->allowance);
	const uint64_t mine = have >> 32 == state->file.n ? have & UINT32_MAX : 0;

	return KEY_USES_MAX - key_file_latest(&state->file)->uses + mine;
}

static enum seal_status key_info(struct key *base, struct key_info *info, struct seal_err *err)
{
	struct keyring_key *key = (struct keyring_key *)base;
	struct keyring_state *state;
	unsigned generation;
	enum seal_status rc = keyring_key_refresh(key, false, err);

	if (rc != SEAL_OK)
		return rc;
	state = keyring_state_get(key, &generation);
	*info = (struct key_info){
		.type = state->file.type->name,
		.uses = state->file.type->uses,
		.latest_version = state->file.n,
		.min_decryption_version = state->file.min_decryption_version,
		.min_encryption_version = state->file.min_encryption_version,
		.derived = state->file.derived,
		.convergent = state->file.convergent,
		.created_ms = (int64_t)key_file_latest(&state->file)->created_ms,
		.counted = key_file_counted(&state->file),
		.uses_left = uses_left(key, state),
	};
	keyring_state_put(state);
	return SEAL_OK;
}

static void key_free(struct key *base)
{
	struct keyring_key *key = (struct keyring_key *)base;

	if (key == NULL)
		return;
	if (key->state != NULL)
		give_back(key);
	keyring_state_put(key->state);
	pthread_mutex_destroy(&key->swap);
	pthread_mutex_destroy(&key->io);
	mem_free(key);
}

static const struct key_ops local_key_ops = {
	.size = sizeof(local_key_ops),
	.info = key_info,
	.session = keyring_session_new,
	.free = key_free,
};

enum seal_status keyring_key_open(struct key_source *source, struct seal_bytes name, struct key **out,
				  struct seal_err *err)
{
	struct keyring_key *key = mem_calloc(1, sizeof(*key));
	enum seal_status rc;

	*out = NULL;
	if (key == NULL)
		return err_memory(err);
	key->base.ops = &local_key_ops;
	key->keyring = (struct keyring *)source;
	pthread_mutex_init(&key->io, NULL);
	pthread_mutex_init(&key->swap, NULL);
	SEAL_TRY(keyring_name(name, key->name, err));
	SEAL_TRY(state_read(key->keyring, key->name, &key->state, err));
	atomic_store(&key->next_look_ms, clock_mono_ms() + LOOK_EVERY_MS);
	*out = &key->base;
out:
	if (rc != SEAL_OK)
		key_free(&key->base);
	return rc;
}

static enum seal_status source_open(const struct key_source_config *config, struct key_source **out,
				    struct seal_err *err)
{
	struct keyring *k;
	enum seal_status rc = keyring_open(config, &k, err);

	*out = rc == SEAL_OK ? keyring_as_source(k) : NULL;
	return rc;
}

static void source_free(struct key_source *source)
{
	keyring_close((struct keyring *)source);
}

bool keyring_reference_check(struct seal_bytes reference, const char **why)
{
	if (key_name_valid(reference))
		return true;
	*why = "a key name has " KEY_NAME_RULE;
	return false;
}

const struct key_source_ops keyring_source = {
	.size = sizeof(keyring_source),
	.name = "local",
	.help = "the name of a key in the local keyring",
	.open = source_open,
	.key = keyring_key_open,
	.check = keyring_reference_check,
	.free = source_free,
	.admin = &keyring_admin,
};
